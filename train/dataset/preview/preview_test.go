package preview

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gleaner/model/bundle"
	"gleaner/train/dataset"
)

// patches is n pictures 4×3 of one colour, BGR 10, 20, 200+i, or gray; what is random adds 5 to the first value. Every fifth is of
// class b, the others of a.
type patches struct{ n, channels int }

var input = bundle.Input{Colour: "bgr", Mean: []float32{127.5, 100, 3}, Std: []float32{58, 57.5, 1}}

func (p patches) Len() int     { return p.n }
func (p patches) Shape() []int { return []int{3, 4, p.channels} }
func (p patches) Heads() []dataset.Head {
	return []dataset.Head{{Name: "class", Labels: []string{"a", "<b>"}}}
}
func (p patches) Label(i, _ int) int { return (i%5 + 1) / 5 }
func (p patches) Name(i int) string  { return fmt.Sprint("picture ", i) }
func (p patches) Input(dst []float32, i int, r *rand.Rand) error {
	for at := range dst {
		c := at % p.channels
		v := []float32{10, 20, float32(200 + i)}[c]
		if c == 0 && r != nil {
			v += 5
		}
		dst[at] = (v - input.Mean[c]) / input.Std[c]
	}
	return nil
}

func TestMake(t *testing.T) {
	o := Options{Title: "waste", Input: input, Feed: dataset.FeedOptions{Batch: 4, Shuffle: true, Seed: 1}, Rows: 4, Epochs: 3}
	s, err := Make(patches{20, 3}, o)
	if err != nil {
		t.Fatal(err)
	}
	var names, classes []string
	for _, r := range s.Rows {
		names, classes = append(names, r.Name), append(classes, r.Class)
		if len(r.Cells) != 4 {
			t.Errorf("%d cells", len(r.Cells))
		}
	}
	if !slices.Equal(classes, []string{"a", "<b>", "a", "<b>"}) || !slices.Equal(names, []string{"picture 0", "picture 4", "picture 10", "picture 14"}) {
		t.Errorf("%v, %v", names, classes)
	}
	row := s.Rows[1]
	if c := row.Cells[0].Image.RGBAAt(3, 2); c.R != 204 || c.G != 20 || c.B != 10 || c.A != 255 {
		t.Errorf("as it is: %v", c)
	}
	if c := row.Cells[2].Image.RGBAAt(0, 0); c.B != 15 || row.Cells[2].Note != "" {
		t.Errorf("changed: %v, %q", c, row.Cells[2].Note)
	}
	again, err := Make(patches{20, 3}, o)
	if err != nil || !bytes.Equal(again.Rows[3].Cells[3].Image.Pix, s.Rows[3].Cells[3].Image.Pix) {
		t.Errorf("made again it differs: %v", err)
	}
	o.Feed.Mix, o.Rows = 0.5, 50
	mixed, err := Make(patches{20, 3}, o)
	if err != nil || len(mixed.Rows) != 20 || !strings.Contains(mixed.Rows[0].Cells[1].Note, " % a, ") {
		t.Errorf("%v: %d rows, %q", err, len(mixed.Rows), mixed.Rows[0].Cells[1].Note)
	}
	if g, err := Make(patches{6, 1}, o); err != nil || g.Rows[0].Cells[0].Image.RGBAAt(1, 1).R != 10 || g.Rows[0].Cells[0].Image.RGBAAt(1, 1).B != 10 {
		t.Errorf("gray: %v", err)
	}
	o.Rows = 0
	if _, err := Make(patches{6, 1}, o); err == nil {
		t.Error("no rows are a sheet")
	}
}

func TestWrite(t *testing.T) {
	s, err := Make(patches{20, 3}, Options{Title: "<waste>", Input: input, Feed: dataset.FeedOptions{Batch: 4, Shuffle: true}, Rows: 2, Epochs: 3})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.WriteJPEG(&b); err != nil {
		t.Fatal(err)
	}
	im, err := jpeg.Decode(&b)
	if err != nil || im.Bounds().Dx() != 4*(96+4)+4 || im.Bounds().Dy() != 2*(72+4)+4 {
		t.Fatalf("%v: %v", err, im.Bounds())
	}
	if r, _, bl, _ := im.At(50, 40).RGBA(); r>>8 < 190 || bl>>8 > 25 {
		t.Errorf("the first picture is not red: %d, %d", r>>8, bl>>8)
	}
	b.Reset()
	if err := s.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if strings.Count(page, `src="data:image/png;base64,`) != 8 || strings.Contains(page, "<waste>") || !strings.Contains(page, "&lt;b&gt;") {
		t.Errorf("the page: %.300s", page)
	}
}
