package flat

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"sort"
	"unicode/utf8"
)

// MaxFile is the largest file that ReadFile takes, in bytes. References in the format are 32 bits wide and signed in
// places, so that larger ones need the format's big-file fields.
const MaxFile = 1 << 31

// ReadFile reads the .tflite file at path.
func ReadFile(path string) (*Model, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	if st.IsDir() || st.Size() > MaxFile {
		return nil, fmt.Errorf("read model %s: %w: a folder or larger than 2 GiB", path, ErrNotTFLite)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	m, err := Read(b)
	if err != nil {
		return nil, fmt.Errorf("read model %s: %w", path, err)
	}
	return m, nil
}

// Read takes the bytes of a .tflite file apart. It trusts nothing in them: whatever it returns has indices that are in
// range and constants of the size that their shape asks for. The model keeps views on b, which must not change.
func Read(b []byte) (*Model, error) {
	if err := sniff(b); err != nil {
		return nil, err
	}
	v := newView(b)
	root := v.table(v.u32(0))
	m := &Model{Description: root.string(3)}
	if p := root.at(0, 4); p != 0 {
		m.Version = uint32(v.u32(p))
	}
	for _, t := range root.tables(1) {
		m.Codes = append(m.Codes, readCode(t))
	}
	m.Buffers = readBuffers(root)
	graphs := root.tables(2)
	for _, t := range graphs {
		m.Graphs = append(m.Graphs, readGraph(t, m))
	}
	for _, t := range root.tables(6) {
		m.Metadata = append(m.Metadata, Metadata{t.string(0), t.index(1, max(1, len(m.Buffers)), "metadata buffer")})
	}
	if v.err == nil && len(m.Graphs) == 0 {
		v.fail("it holds no network")
	}
	if v.err == nil {
		v.checkConstants(m)
	}
	if v.err != nil {
		return nil, v.err
	}
	var err error
	m.Files, err = readZip(b)
	return m, err
}

// sniff says what bytes that are no TFLite file look like.
func sniff(b []byte) error {
	if len(b) >= 8 && string(b[4:8]) == "TFL3" {
		return nil
	}
	looks := ""
	head := bytes.ToLower(bytes.TrimSpace(b[:min(len(b), 512)]))
	switch {
	case len(b) == 0:
		looks = "it is empty"
	case bytes.HasPrefix(head, []byte("version https://git-lfs")):
		looks = "it is a Git LFS pointer; fetch the file that it points to"
	case bytes.HasPrefix(head, []byte("<!doctype")), bytes.HasPrefix(head, []byte("<html")):
		looks = "it is an HTML page, such as a download that failed gives"
	case bytes.HasPrefix(head, []byte("<")):
		looks = "it looks like XML"
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		looks = "it is a zip archive; unpack it first"
	case bytes.HasPrefix(b, []byte("\x1f\x8b")):
		looks = "it is compressed with gzip; unpack it first"
	case bytes.HasPrefix(b, []byte("\x89HDF")):
		looks = "it is HDF5, such as Keras saves; convert it first"
	case bytes.HasPrefix(b, []byte("\x7fELF")):
		looks = "it is a Linux program or library"
	case bytes.HasPrefix(b, []byte("\x89PNG")), bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		looks = "it is a picture"
	case len(b) < 8:
		looks = fmt.Sprintf("it has %d bytes only", len(b))
	case utf8.Valid(b[:min(len(b), 500)]) && !bytes.ContainsRune(b[:min(len(b), 500)], 0):
		looks = "it looks like text"
	default:
		looks = fmt.Sprintf("bytes 4 to 8 are %q, where TFL3 belongs", b[4:8])
	}
	return fmt.Errorf("%w: %s", ErrNotTFLite, looks)
}

func readCode(t table) OpCode {
	// Codes above 127 stand in field 3 alone; older files have field 0 alone. The larger is the true one.
	return OpCode{Builtin: max(int(int8(t.byte(0))), t.int32(3, 0)), Custom: t.string(1), Version: t.int32(2, 1)}
}

func readBuffers(root table) [][]byte {
	v := root.v
	var out [][]byte
	for _, t := range root.tables(4) {
		d := t.bytes(0)
		// Large files keep the data behind the FlatBuffers part and state where.
		if off, n := t.u64(1), t.u64(2); off > 1 {
			if off > uint64(len(v.b)) || n > uint64(len(v.b))-off {
				v.fail("a buffer at byte %d of %d bytes", off, n)
				return nil
			}
			d = v.b[off : off+n : off+n]
		}
		v.spend(len(d)) // a view costs nothing now, but would when the model is written
		out = append(out, d)
	}
	return out
}

func readGraph(t table, m *Model) Graph {
	g := Graph{Name: t.string(4)}
	for _, tt := range t.tables(0) {
		g.Tensors = append(g.Tensors, readTensor(tt, max(1, len(m.Buffers))))
	}
	g.Inputs = t.indices(1, 0, len(g.Tensors), "input tensor")
	g.Outputs = t.indices(2, 0, len(g.Tensors), "output tensor")
	for _, ot := range t.tables(3) {
		g.Ops = append(g.Ops, readOp(ot, len(m.Codes), len(g.Tensors)))
	}
	return g
}

func readTensor(t table, buffers int) Tensor {
	out := Tensor{Shape: t.ints(0), Type: Type(t.byte(1)), Buffer: t.index(2, buffers, "buffer"), Name: t.string(3),
		Variable: t.byte(5) != 0, Signature: t.ints(7), HasRank: t.byte(8) != 0}
	out.sparse = t.at(6, 4) != 0
	for _, d := range out.Shape {
		if d < 0 {
			t.v.fail("tensor %q has a dimension of %d", out.Name, d)
		}
	}
	if q, ok := t.sub(4); ok {
		out.Quant = &Quant{Min: q.float32s(0), Max: q.float32s(1), Scale: q.float32s(2), Zero: q.int64s(3),
			Dim: q.int32(6, 0), custom: q.byte(4) != 0}
		if n := len(out.Quant.Scale); n > 0 && len(out.Quant.Zero) != n && len(out.Quant.Zero) != 0 {
			t.v.fail("tensor %q has %d scales and %d zero points", out.Name, n, len(out.Quant.Zero))
		}
	}
	return out
}

func readOp(t table, codes, tensors int) Op {
	op := Op{Code: t.index(0, codes, "operator code"), Inputs: t.indices(1, -1, tensors, "operator input"),
		Outputs: t.indices(2, 0, tensors, "operator output"), Custom: t.bytes(5),
		Intermediates: t.indices(8, -1, tensors, "intermediate tensor")}
	if mut := t.bytes(7); t.v.spend(len(mut) + len(op.Custom)) {
		for _, b := range mut {
			op.Mutating = append(op.Mutating, b != 0)
		}
	}
	kind := int(t.byte(3))
	if ot, ok := t.sub(4); ok && kind != 0 {
		if op.Options, ok = readOptions(ot, kind); !ok {
			op.extra = fmt.Sprintf("operator options of kind %d", kind)
		}
	}
	if t.u64(9) > 1 || t.byte(11) != 0 {
		op.extra = "operator options of the second kind"
	}
	return op
}

// vectorFields are the fields of option tables that are references, by kind and field, with the bytes per element:
// ConcatEmbeddings, Reshape, Squeeze, VarHandle and Bucketize. All other kinds up to lastKnownKind hold scalars alone.
var vectorFields = map[int]map[int]int{
	3: {1: 4, 2: 4}, 17: {0: 4}, 30: {0: 4}, 111: {0: 1, 1: 1}, 115: {0: 4},
}

// lastKnownKind is SignOptions, the last kind that was checked for references.
const lastKnownKind = 125

// readOptions copies an option table. A vtable does not state how wide a field is: the distance to the next one and
// the alignment bound it, and the padding that may come along is zero and stays behind the value, as numbers are
// little-endian. It returns false for kinds that may hold references that are not known here.
func readOptions(t table, kind int) (Options, bool) {
	out := Options{Kind: kind}
	if kind > lastKnownKind {
		return Options{}, false
	}
	type place struct{ id, off int }
	var at []place
	for id := range (t.vtLen - 4) / 2 {
		if p := t.at(id, 1); p != 0 {
			at = append(at, place{id, p - t.pos})
		}
	}
	sort.Slice(at, func(i, j int) bool { return at[i].off < at[j].off })
	for i, f := range at {
		if elem := vectorFields[kind][f.id]; elem != 0 {
			s, n, ok := t.vec(f.id, elem)
			if !ok || !t.v.spend(n*elem) {
				return Options{}, false
			}
			out.Fields = append(out.Fields, Field{ID: f.id, Vector: t.v.b[s : s+n*elem : s+n*elem], Elem: elem})
			continue
		}
		end := t.objSize
		if i+1 < len(at) {
			end = at[i+1].off
		}
		w := 8
		for w > 1 && (w > end-f.off || (t.pos+f.off)%w != 0) {
			w /= 2
		}
		if !t.v.spend(32) || !t.v.has(t.pos+f.off, w) {
			return Options{}, false
		}
		p := t.pos + f.off
		out.Fields = append(out.Fields, Field{ID: f.id, Scalar: t.v.b[p : p+w : p+w]})
	}
	return out, t.v.err == nil
}

// checkConstants refuses constants whose bytes do not match their shape: the runtime would read past them.
func (v *view) checkConstants(m *Model) {
	for _, g := range m.Graphs {
		for i := range g.Tensors {
			t := &g.Tensors[i]
			have, size := 0, t.Type.Size()
			if t.Buffer < len(m.Buffers) {
				have = len(m.Buffers[t.Buffer])
			}
			if have == 0 || size == 0 || t.sparse {
				continue
			}
			if n := t.Elems(); n < 0 || n*size != have {
				v.fail("constant %q of shape %v has %d bytes", t.Name, t.Shape, have)
			}
		}
	}
}

// Bounds for associated files: labels and vocabularies are far below them, and a zip bomb far above.
const (
	maxFiles    = 64
	maxFileSize = 8 << 20 // all files together, unpacked, in bytes
)

// readZip reads the archive that may stand behind the network.
func readZip(b []byte) ([]File, error) {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, nil // no archive
	}
	if len(z.File) > maxFiles {
		return nil, fmt.Errorf("%w: %d associated files, more than %d", ErrDamaged, len(z.File), maxFiles)
	}
	var out []File
	left := maxFileSize
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("%w: associated file %q: %v", ErrDamaged, f.Name, err)
		}
		d, err := io.ReadAll(io.LimitReader(r, int64(left)+1))
		r.Close()
		if left -= len(d); err == nil && left < 0 {
			err = fmt.Errorf("it and those before are larger than %d bytes", maxFileSize)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: associated file %q: %v", ErrDamaged, f.Name, err)
		}
		out = append(out, File{f.Name, d})
	}
	return out, nil
}

// String is a tensor in a few letters, such as "uint8[1 224 224 3]".
func (t Tensor) String() string { return fmt.Sprintf("%s%v", t.Type, t.Shape) }
