package flat

import (
	"encoding/binary"
	"fmt"
	"math"
)

// view reads a FlatBuffers file that nobody vouches for: every offset is checked before it is followed, the first
// fault is kept, and reads after it give zeros. The layout is that of the FlatBuffers internals page.
type view struct {
	b   []byte
	err error
	// budget is how many bytes may still be copied out. Offsets may point at the same vector many times over, so that
	// a small file could ask for a huge model.
	budget int
}

func newView(b []byte) *view { return &view{b: b, budget: 4*len(b) + 1<<20} }

func (v *view) fail(format string, a ...any) {
	if v.err == nil {
		v.err = fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, a...))
	}
}

// has reports whether the n bytes from p on exist.
func (v *view) has(p, n int) bool {
	if v.err != nil {
		return false
	}
	if p < 0 || n < 0 || p > len(v.b) || n > len(v.b)-p {
		v.fail("it ends at byte %d but refers to byte %d: truncated or altered", len(v.b), p+n)
		return false
	}
	return true
}

func (v *view) u16(p int) int {
	if !v.has(p, 2) {
		return 0
	}
	return int(binary.LittleEndian.Uint16(v.b[p:]))
}

func (v *view) u32(p int) int {
	if !v.has(p, 4) {
		return 0
	}
	return int(binary.LittleEndian.Uint32(v.b[p:]))
}

// ref follows the offset that stands at p.
func (v *view) ref(p int) int {
	o := v.u32(p)
	if o == 0 {
		v.fail("an empty reference at byte %d", p)
	}
	return p + o
}

// table is a view's table; the zero table has no fields.
type table struct {
	v       *view
	pos     int // of the table
	vt      int // of its vtable
	vtLen   int // bytes
	objSize int // bytes of the table
}

func (v *view) table(pos int) table {
	if !v.has(pos, 4) {
		return table{v: v}
	}
	t := table{v: v, pos: pos, vt: pos - int(int32(binary.LittleEndian.Uint32(v.b[pos:])))}
	t.vtLen, t.objSize = v.u16(t.vt), v.u16(t.vt+2)
	if v.err != nil {
		return table{v: v}
	}
	if t.vtLen < 4 || t.vtLen%2 != 0 || t.objSize < 4 || !v.has(t.vt, t.vtLen) || !v.has(pos, t.objSize) {
		v.fail("no table at byte %d", pos)
		return table{v: v}
	}
	return t
}

// at is the position of field id, which takes size bytes; 0 where the table leaves it out.
func (t table) at(id, size int) int {
	k := 4 + 2*id
	if k+2 > t.vtLen {
		return 0
	}
	o := t.v.u16(t.vt + k)
	if o == 0 {
		return 0
	}
	if o < 4 || o+size > t.objSize {
		t.v.fail("field %d of the table at byte %d lies outside it", id, t.pos)
		return 0
	}
	return t.pos + o
}

func (t table) byte(id int) byte {
	if p := t.at(id, 1); p != 0 {
		return t.v.b[p]
	}
	return 0
}

func (t table) int32(id, def int) int {
	if p := t.at(id, 4); p != 0 {
		return int(int32(t.v.u32(p)))
	}
	return def
}

// index is an unsigned 32-bit number that must be below n.
func (t table) index(id, n int, what string) int {
	p, i := t.at(id, 4), 0
	if p != 0 {
		i = t.v.u32(p)
	}
	if i >= n {
		t.v.fail("%s %d of %d", what, i, n)
		return 0
	}
	return i
}

func (t table) u64(id int) uint64 {
	if p := t.at(id, 8); p != 0 {
		return binary.LittleEndian.Uint64(t.v.b[p:])
	}
	return 0
}

// vec finds the vector in field id: where its first element stands and how many there are, each of size bytes.
func (t table) vec(id, size int) (start, n int, ok bool) {
	p := t.at(id, 4)
	if p == 0 {
		return 0, 0, false
	}
	start = t.v.ref(p)
	n = t.v.u32(start)
	start += 4
	if n > len(t.v.b)/size || !t.v.has(start, n*size) {
		t.v.fail("a vector of %d elements at byte %d", n, start)
		return 0, 0, false
	}
	return start, n, true
}

// spend takes n bytes from the budget.
func (v *view) spend(n int) bool {
	if v.err == nil && n > v.budget {
		v.fail("the same parts are referred to over and over")
	}
	v.budget -= n
	return v.err == nil
}

// bytes is the byte vector in field id, as a view on the file.
func (t table) bytes(id int) []byte {
	s, n, ok := t.vec(id, 1)
	if !ok || t.v.err != nil {
		return nil
	}
	return t.v.b[s : s+n : s+n]
}

func (t table) string(id int) string {
	b := t.bytes(id)
	if !t.v.spend(len(b)) {
		return ""
	}
	return string(b)
}

func (t table) ints(id int) []int {
	s, n, ok := t.vec(id, 4)
	if !ok || !t.v.spend(8*n) {
		return nil
	}
	out := make([]int, n)
	for i := range out {
		out[i] = int(int32(binary.LittleEndian.Uint32(t.v.b[s+4*i:])))
	}
	return out
}

// indices are ints that must be in low to n-1.
func (t table) indices(id, low, n int, what string) []int {
	out := t.ints(id)
	for _, i := range out {
		if i < low || i >= n {
			t.v.fail("%s %d of %d", what, i, n)
			return nil
		}
	}
	return out
}

func (t table) float32s(id int) []float32 {
	s, n, ok := t.vec(id, 4)
	if !ok || !t.v.spend(4*n) {
		return nil
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.v.b[s+4*i:]))
	}
	return out
}

func (t table) int64s(id int) []int64 {
	s, n, ok := t.vec(id, 8)
	if !ok || !t.v.spend(8*n) {
		return nil
	}
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(binary.LittleEndian.Uint64(t.v.b[s+8*i:]))
	}
	return out
}

// sub is the table in field id.
func (t table) sub(id int) (table, bool) {
	p := t.at(id, 4)
	if p == 0 {
		return table{v: t.v}, false
	}
	s := t.v.table(t.v.ref(p))
	return s, t.v.err == nil
}

// tables are the tables in the vector of field id. Each costs some of the budget, for what is made of it.
func (t table) tables(id int) []table {
	s, n, ok := t.vec(id, 4)
	if !ok || !t.v.spend(16*n) {
		return nil
	}
	out := make([]table, 0, n)
	for i := range n {
		out = append(out, t.v.table(t.v.ref(s+4*i)))
		if t.v.err != nil {
			return nil
		}
	}
	return out
}
