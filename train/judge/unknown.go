package judge

import (
	"gleaner/classify"
	"gleaner/train/eval"
)

// tells reports whether the bundle has a score of unknown objects.
func (m *Model) tells() bool {
	_, ok := m.answers.(classify.Familiar)
	return ok
}

// refuse counts which of the pictures of index m takes for unknown objects. All of them are of classes that it knows, so that this is
// what its threshold costs.
func (r *Report) refuse(m *Model, familiar []float32, index []int) {
	if !m.tells() {
		return
	}
	n := 0
	for _, i := range index {
		if familiar[i] < 0 {
			n++
		}
	}
	s := eval.Wilson(n, len(index))
	r.Unknown = &s
}
