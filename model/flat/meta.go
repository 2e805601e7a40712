package flat

import (
	"fmt"

	fb "github.com/google/flatbuffers/go"
)

// Meta is what TFLITE_METADATA says of a picture's input and of the classes: the parts of the schema
// tensorflow_lite_support/metadata/metadata_schema.fbs that the program uses.
type Meta struct {
	Name, Description string
	// Mean and Std turn a channel value v of 0 to 255 into (v-Mean)/Std; nil where they are not stated.
	Mean, Std []float32
	// Colour is "rgb" or "gray" as stated, empty where it is not.
	Colour string
	// LabelsFile names the associated file with the classes' labels, one a line; empty where there is none.
	LabelsFile string
}

const metadataName = "TFLITE_METADATA"

// Meta reads the metadata; nil without an error where the file has none.
func (m *Model) Meta() (*Meta, error) {
	for _, md := range m.Metadata {
		if md.Name == metadataName && md.Buffer < len(m.Buffers) {
			return readMeta(m.Buffers[md.Buffer])
		}
	}
	return nil, nil
}

func readMeta(b []byte) (*Meta, error) {
	if len(b) < 8 || string(b[4:7]) != "M00" {
		return nil, fmt.Errorf("metadata: %w: it does not begin as metadata does", ErrDamaged)
	}
	v := newView(b)
	root := v.table(v.u32(0))
	out := &Meta{Name: root.string(0), Description: root.string(1)}
	graphs := root.tables(3)
	for _, g := range graphs[:min(1, len(graphs))] { // the network's own
		for i, t := range g.tables(2) {
			if i == 0 {
				readInputMeta(t, out)
			}
		}
		for _, t := range g.tables(3) {
			for _, f := range t.tables(6) {
				// TENSOR_AXIS_LABELS and TENSOR_VALUE_LABELS; the first file wins, later ones are translations.
				if k := f.byte(2); (k == 2 || k == 3) && out.LabelsFile == "" {
					out.LabelsFile = f.string(0)
				}
			}
		}
	}
	if v.err != nil {
		return nil, fmt.Errorf("metadata: %w", v.err)
	}
	return out, nil
}

func readInputMeta(t table, out *Meta) {
	if c, ok := t.sub(3); ok && c.byte(0) == 2 { // ImageProperties
		if p, ok := c.sub(1); ok {
			out.Colour = map[byte]string{1: "rgb", 2: "gray"}[p.byte(0)]
		}
	}
	for _, u := range t.tables(4) {
		if u.byte(0) == 1 { // NormalizationOptions
			if o, ok := u.sub(1); ok {
				out.Mean, out.Std = o.float32s(0), o.float32s(1)
			}
		}
	}
}

// SetMeta writes metadata and, when labels are given, puts them into an associated file, so that other tools read the
// model too. LabelsFile is chosen here. Metadata and associated files of before are replaced.
func (m *Model) SetMeta(meta Meta, labels []byte) {
	m.Files = nil
	meta.LabelsFile = ""
	if labels != nil {
		meta.LabelsFile = "labels.txt"
		m.Files = []File{{meta.LabelsFile, labels}}
	}
	var keep []Metadata
	for _, md := range m.Metadata {
		if md.Name != metadataName {
			keep = append(keep, md)
		}
	}
	m.Metadata = append(keep, Metadata{metadataName, m.addBuffer(writeMeta(meta))})
}

func writeMeta(meta Meta) []byte {
	w := writer{fb.NewBuilder(512)}
	in := w.inputMeta(meta)
	var files fb.UOffsetT
	if meta.LabelsFile != "" {
		name := w.CreateString(meta.LabelsFile)
		w.StartObject(5)
		w.PrependUOffsetTSlot(0, name, 0)
		w.PrependByteSlot(2, 2, 0) // TENSOR_AXIS_LABELS
		files = w.refs([]fb.UOffsetT{w.EndObject()})
	}
	name := w.CreateString("probability")
	w.StartObject(7)
	w.PrependUOffsetTSlot(0, name, 0)
	w.PrependUOffsetTSlot(6, files, 0)
	outs := w.refs([]fb.UOffsetT{w.EndObject()})
	ins := w.refs([]fb.UOffsetT{in})
	w.StartObject(7)
	w.PrependUOffsetTSlot(2, ins, 0)
	w.PrependUOffsetTSlot(3, outs, 0)
	graphs := w.refs([]fb.UOffsetT{w.EndObject()})
	title, desc, parser := w.CreateString(meta.Name), w.CreateString(meta.Description), w.CreateString("1.0.0")
	w.StartObject(8)
	w.PrependUOffsetTSlot(0, title, 0)
	w.PrependUOffsetTSlot(1, desc, 0)
	w.PrependUOffsetTSlot(3, graphs, 0)
	w.PrependUOffsetTSlot(7, parser, 0)
	w.FinishWithFileIdentifier(w.EndObject(), []byte("M001"))
	return w.FinishedBytes()
}

func (w writer) inputMeta(meta Meta) fb.UOffsetT {
	name := w.CreateString("image")
	var content, units fb.UOffsetT
	if space := map[string]byte{"rgb": 1, "gray": 2}[meta.Colour]; space != 0 {
		w.StartObject(2)
		w.PrependByteSlot(0, space, 0)
		props := w.EndObject()
		w.StartObject(3)
		w.PrependByteSlot(0, 2, 0) // ImageProperties
		w.PrependUOffsetTSlot(1, props, 0)
		content = w.EndObject()
	}
	if meta.Mean != nil {
		mean, std := w.float32s(meta.Mean), w.float32s(meta.Std)
		w.StartObject(2)
		w.PrependUOffsetTSlot(0, mean, 0)
		w.PrependUOffsetTSlot(1, std, 0)
		norm := w.EndObject()
		w.StartObject(2)
		w.PrependByteSlot(0, 1, 0) // NormalizationOptions
		w.PrependUOffsetTSlot(1, norm, 0)
		units = w.refs([]fb.UOffsetT{w.EndObject()})
	}
	w.StartObject(7)
	w.PrependUOffsetTSlot(0, name, 0)
	w.PrependUOffsetTSlot(3, content, 0)
	w.PrependUOffsetTSlot(4, units, 0)
	return w.EndObject()
}
