package look

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"image/jpeg"
	"io"

	"gleaner/capture"
	"gleaner/train/dataset/pack"
)

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("page").Parse(pageHTML))

// shown is how many findings of each list the page has.
const shown = 60

// picture is a thumbnail with its words.
type picture struct {
	Source template.URL
	Text   string
	Note   string
}

// section is one list of findings.
type section struct {
	Title, Text string
	Total       int
	Pictures    [][]picture // side by side where there are two
}

// WriteHTML writes the report as one page, thumbnails included.
func (r *Report) WriteHTML(w io.Writer, s *pack.Set) error {
	t := &thumbnails{set: s, buf: make([]byte, s.Format.Bytes())}
	data := struct {
		*Report
		Sections []section
		Samples  []section
		LeftOut  []pack.Problem
		More     int
		Largest  int
	}{Report: r, Largest: r.Counts[0].Examples}
	for _, l := range []struct {
		title, text string
		list        []Finding
		total       int
		note        func(f Finding) string
	}{
		{"Likely label errors", "A classifier that never saw the picture finds another class likelier than its label. The likeliest errors come first.", r.suspects(), len(r.suspects()),
			func(f Finding) string { return fmt.Sprintf("looks like %s (%+.2f)", f.Said, f.Score) }},
		{"Copies", "The same pixels twice.", r.Copies, r.CopiesAll, across},
		{"Near copies", "Scaled, compressed or lit anew. A split keeps them together.", r.Near, r.NearAll, across},
		{"Unusual light", "Far darker or brighter than the others.", r.Light, len(r.Light), func(f Finding) string { return fmt.Sprintf("%+.1f spreads", f.Score) }},
		{"Blurred", "Far less sharp than the others.", r.Blurred, len(r.Blurred), func(f Finding) string { return fmt.Sprintf("%+.1f spreads", f.Score) }},
	} {
		sec := section{Title: l.title, Text: l.text, Total: l.total}
		for _, f := range l.list[:min(len(l.list), shown)] {
			row := []picture{t.picture(f.Example, l.note(f))}
			if f.With >= 0 {
				row = append(row, t.picture(f.With, ""))
			}
			sec.Pictures = append(sec.Pictures, row)
		}
		data.Sections = append(data.Sections, sec)
	}
	data.Samples = t.samples(r)
	data.LeftOut, data.More = r.Problems[:min(len(r.Problems), 500)], max(0, len(r.Problems)-500)
	if t.err != nil {
		return t.err
	}
	return page.Execute(w, data)
}

// suspects are the labels that a classifier doubts at all.
func (r *Report) suspects() []Finding {
	for i, f := range r.Labels {
		if f.Score <= 0 {
			return r.Labels[:i]
		}
	}
	return r.Labels
}

func across(f Finding) string {
	if f.Said == "" {
		return "same class"
	}
	return f.Class + " and " + f.Said
}

// thumbnails makes pictures for the page. The first error stays.
type thumbnails struct {
	set *pack.Set
	buf []byte
	err error
}

func (t *thumbnails) picture(i int, note string) picture {
	e := t.set.Examples[i]
	p := picture{Text: e.Class + " · " + e.Source.Path, Note: note}
	if t.err != nil {
		return p
	}
	if t.err = t.set.Pixels(i, t.buf); t.err != nil {
		return p
	}
	f := t.set.Format
	var b bytes.Buffer
	im := capture.Image{Pix: t.buf, Stride: 3 * f.Width, W: f.Width, H: f.Height}
	if t.err = jpeg.Encode(&b, im.ToGo(), &jpeg.Options{Quality: 80}); t.err == nil {
		p.Source = template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(b.Bytes()))
	}
	return p
}

// samples are some pictures of each class, spread over the set.
func (t *thumbnails) samples(r *Report) (all []section) {
	of := map[string][]int{}
	for i, e := range t.set.Examples {
		of[e.Class] = append(of[e.Class], i)
	}
	const each = 12
	for _, c := range r.Counts {
		sec := section{Title: c.Class, Total: c.Examples}
		list := of[c.Class]
		for k := range min(each, len(list)) {
			sec.Pictures = append(sec.Pictures, []picture{t.picture(list[k*len(list)/min(each, len(list))], "")})
		}
		all = append(all, sec)
	}
	return all
}
