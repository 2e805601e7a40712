package preview

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"html/template"
	"image/png"
	"io"
)

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("page").Funcs(template.FuncMap{"png": pngURL}).Parse(pageHTML))

// pngURL is a cell's picture, without loss, as a page can hold it.
func pngURL(c Cell) (template.URL, error) {
	var b bytes.Buffer
	err := png.Encode(&b, c.Image)
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), err
}

// WriteHTML writes the sheet as one page, pictures included.
func (s *Sheet) WriteHTML(w io.Writer) error { return page.Execute(w, s) }
