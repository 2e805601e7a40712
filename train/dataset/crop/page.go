package crop

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/capture"
	"gleaner/train/dataset/exif"
	"gleaner/train/dataset/importer"
	"gleaner/train/dataset/pack"
)

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("page").Parse(pageHTML))

// What the page has at most: pictures in each section, problems, and notes on a picture. The rest stands in the file beside the set.
const (
	shown         = 120
	shownProblems = 500
	notesShown    = 12
	thumbSide     = 320 // longest side of a thumbnail, pixels
)

// figure is one picture with its boxes.
type figure struct {
	Source template.URL
	Path   string
	W, H   int // of the picture upright, pixels
	Shapes []shape
	Notes  []string
}

// shape is one box on a picture, in its upright pixels.
type shape struct {
	X, Y, W, H float64
	Kind       string // kept, doubtful or missed: its colour
	Text       string
}

// section is one list of pictures.
type section struct {
	Title, Text string
	Total       int
	Figures     []figure
	More        int
}

// WriteHTML writes what a person should look at as one page that needs nothing else: it reads the pictures it shows once more.
func (r *Result) WriteHTML(w io.Writer, set string) error {
	t := &thumbnails{root: r.root, decoder: r.o.NewDecoder()}
	defer t.decoder.Close()
	var misses, missed, doubtful []Record
	for _, rec := range r.Records {
		if rec.kept() == 0 {
			misses = append(misses, rec)
		}
		if rec.doubted() > 0 && rec.kept() > 0 {
			doubtful = append(doubtful, rec)
		}
		if slices.ContainsFunc(rec.Marks, func(m Mark) bool { return m.By < 0 }) {
			missed = append(missed, rec)
		}
	}
	slices.SortStableFunc(doubtful, func(a, b Record) int { return cmp.Compare(b.doubted(), a.doubted()) })
	sections := []section{
		t.section("Misses", "Nothing was cut out of these pictures. Boxes drawn were too doubtful.", misses),
		t.section("Doubtful boxes", "Weak, at the edge, overlapping, cut off or small: a person should look. Those with the most come first.", doubtful),
		t.section("Labelled, and not found", "The label has an object that no box finds, kept or not.", missed),
	}
	return page.Execute(w, struct {
		*Result
		Set      string
		Sections []section
		Problems []pack.Problem
		More     int
	}{r, filepath.Base(set), sections, r.Problems[:min(len(r.Problems), shownProblems)], max(0, len(r.Problems)-shownProblems)})
}

// Recall is what share of the labelled large objects was cut out, in words; empty where nothing is labelled.
func (r *Result) Recall() string {
	if r.Truth == nil {
		return ""
	}
	t := r.Truth
	return fmt.Sprintf("of %d labelled objects %d are cut out and %d more shown as doubtful; of %d that fill at least 5 %% of their picture %d are cut out",
		t.Marked, t.Kept, t.Shown, t.Large, t.LargeIn)
}

// thumbnails makes pictures for the page.
type thumbnails struct {
	root    string
	decoder importer.Decoder
}

func (t *thumbnails) section(title, text string, list []Record) section {
	s := section{Title: title, Text: text, Total: len(list), More: max(0, len(list)-shown)}
	for _, rec := range list[:min(len(list), shown)] {
		s.Figures = append(s.Figures, t.figure(rec))
	}
	return s
}

// figure draws one picture. One that can be read no more is shown without pixels: the boxes tell all the same.
func (t *thumbnails) figure(rec Record) figure {
	f := figure{Path: rec.Picture, W: rec.Width, H: rec.Height}
	if rec.Orientation > 4 {
		f.W, f.H = f.H, f.W
	}
	if file, err := os.ReadFile(filepath.Join(t.root, filepath.FromSlash(rec.Picture))); err != nil {
		f.Notes = append(f.Notes, "the picture is not there any more")
	} else if im, err := t.decoder.Decode(file); err != nil {
		f.Notes = append(f.Notes, err.Error())
	} else {
		f.Source = encode(shrink(exif.Upright(im, rec.Orientation)))
	}
	add := func(b [4]float64, kind, text string) {
		u := upright(b, rec.Orientation, rec.Width, rec.Height)
		f.Shapes = append(f.Shapes, shape{u[0], u[1], u[2] - u[0], u[3] - u[1], kind, text})
	}
	for _, b := range rec.Boxes {
		text := fmt.Sprintf("%s %.2f", b.Class, b.Score)
		kind := "kept"
		if !b.Kept {
			kind = "doubtful"
		}
		add(b.Box, kind, text)
		if len(b.Doubts) > 0 {
			verb := "not kept"
			if b.Kept {
				verb = "kept"
			}
			f.Notes = append(f.Notes, fmt.Sprintf("%s, %s: %s", text, verb, strings.Join(b.Doubts, "; ")))
		}
	}
	for _, m := range rec.Marks {
		if m.By < 0 {
			add(m.Box, "missed", m.Class+", labelled")
			f.Notes = append(f.Notes, m.Class+": labelled, and not found")
		}
	}
	f.Notes = counted(f.Notes)
	return f
}

// counted says once, with a number, what is said several times; the first notesShown.
func counted(notes []string) (out []string) {
	times := map[string]int{}
	for _, n := range notes {
		if times[n]++; times[n] == 1 {
			out = append(out, n)
		}
	}
	for i, n := range out {
		if times[n] > 1 {
			out[i] = fmt.Sprintf("%d × %s", times[n], n)
		}
	}
	if more := len(out) - notesShown; more > 0 {
		out = append(out[:notesShown], fmt.Sprintf("and %d more", more))
	}
	return out
}

// upright takes a box from the stored picture, w×h, to the upright one, as exif.Upright does: turning back is the inverse.
func upright(b [4]float64, turn, w, h int) [4]float64 {
	switch turn {
	case 6:
		return stored(b, 8, h, w)
	case 8:
		return stored(b, 6, h, w)
	case 5, 7:
		return stored(b, turn, h, w)
	}
	return stored(b, turn, w, h)
}

// shrink averages squares of pixels until the longest side is at most thumbSide.
func shrink(im capture.Image) capture.Image {
	n := (max(im.W, im.H) + thumbSide - 1) / thumbSide
	if n <= 1 {
		return im
	}
	out := capture.NewImage(max(im.W/n, 1), max(im.H/n, 1))
	for y := range out.H {
		row := out.Row(y)
		for x := range out.W {
			var sum [3]int
			count := 0
			for sy := y * n; sy < min(y*n+n, im.H); sy++ {
				from := im.Row(sy)
				for sx := x * n; sx < min(x*n+n, im.W); sx++ {
					for c := range 3 {
						sum[c] += int(from[3*sx+c])
					}
					count++
				}
			}
			for c := range 3 {
				row[3*x+c] = byte(sum[c] / count)
			}
		}
	}
	return out
}

func encode(im capture.Image) template.URL {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, im.ToGo(), &jpeg.Options{Quality: 75}); err != nil {
		return "" // a buffer takes everything, and the sides are in range
	}
	return template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(b.Bytes()))
}
