package track

import "math"

// solver finds the assignment of rows to columns with the least sum of costs, by shortest augmenting paths (Jonker and
// Volgenant, Computing 38, 1987). It keeps its memory.
type solver struct {
	cost       []float64 // rows × cols, row-major
	rows, cols int
	u, v       []float64
	minv       []float64
	match      []int // column → row, 1-based; 0 is none
	way        []int
	used       []bool
	result     []int // row → column, -1 is none
}

// forbidden is the cost of a pair that must not be; it outweighs any number of allowed ones.
const forbidden = 1e6

// reset prepares a rows×cols problem in which every pair is forbidden.
func (s *solver) reset(rows, cols int) {
	s.rows, s.cols = rows, cols
	s.cost = sized(s.cost, rows*cols)
	for i := range s.cost {
		s.cost[i] = forbidden
	}
}

func (s *solver) set(row, col int, c float64) { s.cost[row*s.cols+col] = c }

// at is the cost in the problem turned so that there are no more rows than columns.
func (s *solver) at(turned bool, r, c int) float64 {
	if turned {
		return s.cost[c*s.cols+r]
	}
	return s.cost[r*s.cols+c]
}

// solve returns for each row its column, or -1 where there is none or only forbidden ones. The slice is valid until the
// next reset.
func (s *solver) solve() []int {
	s.result = sized(s.result, s.rows)
	for i := range s.result {
		s.result[i] = -1
	}
	turned := s.rows > s.cols
	n, m := s.rows, s.cols
	if turned {
		n, m = m, n
	}
	if n == 0 {
		return s.result
	}
	s.u, s.v, s.minv = sized(s.u, n+1), sized(s.v, m+1), sized(s.minv, m+1)
	s.match, s.way, s.used = sized(s.match, m+1), sized(s.way, m+1), sized(s.used, m+1)
	clear(s.u)
	clear(s.v)
	clear(s.match)
	for i := 1; i <= n; i++ {
		s.augment(turned, i, m)
	}
	for j := 1; j <= m; j++ {
		i := s.match[j]
		if i == 0 || s.at(turned, i-1, j-1) >= forbidden {
			continue
		}
		if turned {
			s.result[j-1] = i - 1
		} else {
			s.result[i-1] = j - 1
		}
	}
	return s.result
}

// augment brings row i in along the shortest path to a free column.
func (s *solver) augment(turned bool, i, m int) {
	s.match[0] = i
	for j := range s.minv {
		s.minv[j], s.used[j] = math.Inf(1), false
	}
	j0 := 0
	for s.match[j0] != 0 {
		s.used[j0] = true
		i0, j1, delta := s.match[j0], 0, math.Inf(1)
		for j := 1; j <= m; j++ {
			if s.used[j] {
				continue
			}
			if c := s.at(turned, i0-1, j-1) - s.u[i0] - s.v[j]; c < s.minv[j] {
				s.minv[j], s.way[j] = c, j0
			}
			if s.minv[j] < delta {
				delta, j1 = s.minv[j], j
			}
		}
		for j := 0; j <= m; j++ {
			if s.used[j] {
				s.u[s.match[j]] += delta
				s.v[j] -= delta
			} else {
				s.minv[j] -= delta
			}
		}
		j0 = j1
	}
	for j0 != 0 {
		j1 := s.way[j0]
		s.match[j0] = s.match[j1]
		j0 = j1
	}
}

// sized is b with length n, its memory reused when it is large enough.
func sized[T any](b []T, n int) []T {
	if cap(b) < n {
		return make([]T, n, n+n/2)
	}
	return b[:n]
}
