package flat

import (
	"archive/zip"
	"bytes"
	"fmt"
	"math"
	"sort"

	fb "github.com/google/flatbuffers/go"
)

// Bytes writes the model as a .tflite file, from scratch: nothing of a file that it was read from comes along but what
// the model holds. Signature definitions are not kept. The associated files follow as a zip archive, stored without
// compression, so that other tools find them.
func (m *Model) Bytes() ([]byte, error) {
	if err := m.writable(); err != nil {
		return nil, err
	}
	n := 1 << 16
	for _, b := range m.Buffers {
		n += len(b) + 64
	}
	w := writer{fb.NewBuilder(n)}
	var codes, graphs, bufs, meta []fb.UOffsetT
	for _, b := range m.Buffers {
		bufs = append(bufs, w.buffer(b))
	}
	for _, c := range m.Codes {
		codes = append(codes, w.code(c))
	}
	for i := range m.Graphs {
		graphs = append(graphs, w.graph(&m.Graphs[i]))
	}
	for _, md := range m.Metadata {
		name := w.CreateString(md.Name)
		w.StartObject(2)
		w.PrependUOffsetTSlot(0, name, 0)
		w.PrependUint32Slot(1, uint32(md.Buffer), 0)
		meta = append(meta, w.EndObject())
	}
	desc := w.CreateString(m.Description)
	cv, gv, bv, mv := w.refs(codes), w.refs(graphs), w.refs(bufs), fb.UOffsetT(0)
	if meta != nil {
		mv = w.refs(meta)
	}
	w.StartObject(8)
	w.PrependUint32Slot(0, 3, 0)
	w.PrependUOffsetTSlot(1, cv, 0)
	w.PrependUOffsetTSlot(2, gv, 0)
	w.PrependUOffsetTSlot(3, desc, 0)
	w.PrependUOffsetTSlot(4, bv, 0)
	w.PrependUOffsetTSlot(6, mv, 0)
	w.FinishWithFileIdentifier(w.EndObject(), []byte("TFL3"))
	return appendZip(w.FinishedBytes(), m.Files)
}

// writable refuses what would be lost or broken on the way out.
func (m *Model) writable() error {
	total := 0
	for _, b := range m.Buffers {
		total += len(b)
	}
	if total > math.MaxInt32-1<<24 {
		return fmt.Errorf("write model: %w: %d bytes of weights, more than 2 GiB", ErrUnsupported, total)
	}
	if len(m.Graphs) == 0 || len(m.Buffers) == 0 || len(m.Buffers[0]) != 0 {
		return fmt.Errorf("write model: no graph, or buffer 0 is not the empty one")
	}
	for _, g := range m.Graphs {
		for _, t := range g.Tensors {
			if t.sparse || (t.Quant != nil && t.Quant.custom) {
				return fmt.Errorf("write model: %w: sparse or specially quantised tensor %q", ErrUnsupported, t.Name)
			}
			if t.Buffer < 0 || t.Buffer >= len(m.Buffers) {
				return fmt.Errorf("write model: tensor %q has buffer %d of %d", t.Name, t.Buffer, len(m.Buffers))
			}
		}
		for i, op := range g.Ops {
			if op.extra != "" {
				return fmt.Errorf("write model: %w: %s in operator %d", ErrUnsupported, op.extra, i)
			}
			if op.Code < 0 || op.Code >= len(m.Codes) {
				return fmt.Errorf("write model: operator %d has code %d of %d", i, op.Code, len(m.Codes))
			}
			for _, ix := range [][]int{op.Inputs, op.Outputs} {
				for _, k := range ix {
					if k < -1 || k >= len(g.Tensors) {
						return fmt.Errorf("write model: operator %d has tensor %d of %d", i, k, len(g.Tensors))
					}
				}
			}
		}
	}
	return nil
}

// writer adds the schema's tables to a FlatBuffers builder, which writes from the end of the file to its beginning.
type writer struct{ *fb.Builder }

// vector writes raw little-endian elements of size bytes each, aligned to align.
func (w writer) vector(b []byte, size, align int) fb.UOffsetT {
	w.StartVector(size, len(b)/size, align)
	// Space is taken in one step; PlaceByte for each of millions of weights would take most of the time.
	w.Pad(len(b))
	copy(w.Bytes[w.Head():], b)
	return w.EndVector(len(b) / size)
}

func (w writer) refs(v []fb.UOffsetT) fb.UOffsetT {
	w.StartVector(4, len(v), 4)
	for i := len(v) - 1; i >= 0; i-- {
		w.PrependUOffsetT(v[i])
	}
	return w.EndVector(len(v))
}

func (w writer) ints(v []int) fb.UOffsetT {
	w.StartVector(4, len(v), 4)
	for i := len(v) - 1; i >= 0; i-- {
		w.PrependInt32(int32(v[i]))
	}
	return w.EndVector(len(v))
}

func (w writer) float32s(v []float32) fb.UOffsetT {
	if v == nil {
		return 0
	}
	return w.vector(Float32Bytes(v), 4, 4)
}

func (w writer) int64s(v []int64) fb.UOffsetT {
	if v == nil {
		return 0
	}
	w.StartVector(8, len(v), 8)
	for i := len(v) - 1; i >= 0; i-- {
		w.PrependInt64(v[i])
	}
	return w.EndVector(len(v))
}

func (w writer) buffer(b []byte) fb.UOffsetT {
	var d fb.UOffsetT
	if len(b) > 0 {
		d = w.vector(b, 1, 16) // force_align: 16 in the schema
	}
	w.StartObject(1)
	w.PrependUOffsetTSlot(0, d, 0)
	return w.EndObject()
}

// code writes the builtin code both where old readers look for it, capped at 127, and where new ones do.
func (w writer) code(c OpCode) fb.UOffsetT {
	var name fb.UOffsetT
	if c.Custom != "" {
		name = w.CreateString(c.Custom)
	}
	w.StartObject(4)
	w.PrependInt8Slot(0, int8(min(c.Builtin, 127)), 0)
	w.PrependUOffsetTSlot(1, name, 0)
	w.PrependInt32Slot(2, int32(c.Version), 1)
	w.PrependInt32Slot(3, int32(c.Builtin), 0)
	return w.EndObject()
}

func (w writer) graph(g *Graph) fb.UOffsetT {
	var tensors, ops []fb.UOffsetT
	for i := range g.Tensors {
		tensors = append(tensors, w.tensor(&g.Tensors[i]))
	}
	for i := range g.Ops {
		ops = append(ops, w.op(&g.Ops[i]))
	}
	name := w.CreateString(g.Name)
	tv, in, out, ov := w.refs(tensors), w.ints(g.Inputs), w.ints(g.Outputs), w.refs(ops)
	w.StartObject(5)
	w.PrependUOffsetTSlot(0, tv, 0)
	w.PrependUOffsetTSlot(1, in, 0)
	w.PrependUOffsetTSlot(2, out, 0)
	w.PrependUOffsetTSlot(3, ov, 0)
	w.PrependUOffsetTSlot(4, name, 0)
	return w.EndObject()
}

func (w writer) tensor(t *Tensor) fb.UOffsetT {
	name, shape := w.CreateString(t.Name), w.ints(t.Shape)
	var quant, sig fb.UOffsetT
	if q := t.Quant; q != nil {
		lo, hi, scale, zero := w.float32s(q.Min), w.float32s(q.Max), w.float32s(q.Scale), w.int64s(q.Zero)
		w.StartObject(7)
		w.PrependUOffsetTSlot(0, lo, 0)
		w.PrependUOffsetTSlot(1, hi, 0)
		w.PrependUOffsetTSlot(2, scale, 0)
		w.PrependUOffsetTSlot(3, zero, 0)
		w.PrependInt32Slot(6, int32(q.Dim), 0)
		quant = w.EndObject()
	}
	if t.Signature != nil {
		sig = w.ints(t.Signature)
	}
	w.StartObject(9)
	w.PrependUOffsetTSlot(0, shape, 0)
	w.PrependByteSlot(1, byte(t.Type), 0)
	w.PrependUint32Slot(2, uint32(t.Buffer), 0)
	w.PrependUOffsetTSlot(3, name, 0)
	w.PrependUOffsetTSlot(4, quant, 0)
	w.PrependBoolSlot(5, t.Variable, false)
	w.PrependUOffsetTSlot(7, sig, 0)
	w.PrependBoolSlot(8, t.HasRank, false)
	return w.EndObject()
}

func (w writer) op(op *Op) fb.UOffsetT {
	in, out := w.ints(op.Inputs), w.ints(op.Outputs)
	var opt, custom, mut, mid fb.UOffsetT
	if op.Options.Kind != 0 {
		opt = w.options(op.Options.Fields)
	}
	if op.Custom != nil {
		custom = w.CreateByteVector(op.Custom)
	}
	if op.Mutating != nil {
		b := make([]byte, len(op.Mutating))
		for i, v := range op.Mutating {
			if v {
				b[i] = 1
			}
		}
		mut = w.CreateByteVector(b)
	}
	if op.Intermediates != nil {
		mid = w.ints(op.Intermediates)
	}
	w.StartObject(9)
	w.PrependUint32Slot(0, uint32(op.Code), 0)
	w.PrependUOffsetTSlot(1, in, 0)
	w.PrependUOffsetTSlot(2, out, 0)
	w.PrependByteSlot(3, byte(op.Options.Kind), 0)
	w.PrependUOffsetTSlot(4, opt, 0)
	w.PrependUOffsetTSlot(5, custom, 0)
	w.PrependUOffsetTSlot(7, mut, 0)
	w.PrependUOffsetTSlot(8, mid, 0)
	return w.EndObject()
}

// options writes an option table field by field, the widest first so that no padding is needed between them.
func (w writer) options(fields []Field) fb.UOffsetT {
	n := 0
	refs := map[int]fb.UOffsetT{}
	var scalars []Field
	for _, f := range fields {
		n = max(n, f.ID+1)
		if f.Elem == 0 {
			scalars = append(scalars, f)
			continue
		}
		// A string has a zero behind it that is not counted; a byte vector with one is valid too.
		if f.Elem == 1 {
			refs[f.ID] = w.CreateByteString(f.Vector)
		} else {
			refs[f.ID] = w.vector(f.Vector, f.Elem, f.Elem)
		}
	}
	sort.SliceStable(scalars, func(i, j int) bool { return len(scalars[i].Scalar) > len(scalars[j].Scalar) })
	w.StartObject(n)
	for _, f := range scalars {
		w.Prep(len(f.Scalar), 0)
		w.Pad(len(f.Scalar))
		copy(w.Bytes[w.Head():], f.Scalar)
		w.Slot(f.ID)
	}
	for _, f := range fields {
		if f.Elem != 0 {
			w.PrependUOffsetTSlot(f.ID, refs[f.ID], 0)
		}
	}
	return w.EndObject()
}

// appendZip puts the associated files behind the network, as the TFLite metadata writer does.
func appendZip(b []byte, files []File) ([]byte, error) {
	if len(files) == 0 {
		return b, nil
	}
	var z bytes.Buffer
	zw := zip.NewWriter(&z)
	zw.SetOffset(int64(len(b)))
	for _, f := range files {
		w, err := zw.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Store})
		if err != nil {
			return nil, fmt.Errorf("write model: associated file %q: %w", f.Name, err)
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, fmt.Errorf("write model: associated file %q: %w", f.Name, err)
		}
	}
	if err := zw.Close(); err != nil {
		return nil, fmt.Errorf("write model: associated files: %w", err)
	}
	return append(b, z.Bytes()...), nil
}
