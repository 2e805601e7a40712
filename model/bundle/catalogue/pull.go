package catalogue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"gleaner/model/bundle"
	"gleaner/model/flat"
)

// Options says where Pull looks and puts.
type Options struct {
	// NativeDir is the folder that setup fills, with models/ below it.
	NativeDir string `yaml:"native_dir"`
	// Labels is a local labels file for a model whose labels would come from a URL; empty: beside the model, then the
	// URL.
	Labels string `yaml:"-"`
	// Client downloads; nil: http.DefaultClient.
	Client *http.Client `yaml:"-"`
}

// DefaultOptions looks into .native of the working directory.
func DefaultOptions() Options { return Options{NativeDir: ".native"} }

// Pull gets a known model, verifies it, builds its bundle into the store and returns the bundle's id there. from is a
// local file, a folder that holds the file under its usual name, or a URL; empty: where the catalogue says. progress,
// if not nil, is called now and then with the bytes that have come and the bytes that are expected. It does not make
// the bundle the current one.
func Pull(ctx context.Context, e Entry, from string, o Options, s *bundle.Store, progress func(done, total int64)) (string, error) {
	m, files, err := Build(ctx, e, from, o, progress)
	if err != nil {
		return "", err
	}
	id, err := s.Put(m, files)
	if err != nil {
		return "", fmt.Errorf("pull %s: %w", e.Name, err)
	}
	return id, nil
}

// Build is Pull without a store: the manifest and the files of the bundle.
func Build(ctx context.Context, e Entry, from string, o Options, progress func(done, total int64)) (bundle.Manifest, map[string][]byte, error) {
	f := fetcher{o: o, progress: progress}
	net, err := f.get(ctx, &e.Model, from)
	if err != nil {
		return bundle.Manifest{}, nil, fmt.Errorf("pull %s: %w", e.Name, err)
	}
	files := map[string][]byte{bundle.ModelFile: net}
	switch {
	case len(e.Words) > 0:
		files[bundle.LabelsFile] = bundle.FormatLabels(e.Words)
	case e.Labels != nil:
		at := o.Labels
		if at == "" {
			at = f.beside(from, e.Labels)
		}
		if files[bundle.LabelsFile], err = f.get(ctx, e.Labels, at); err != nil {
			return bundle.Manifest{}, nil, fmt.Errorf("pull %s: labels: %w", e.Name, err)
		}
	}
	if e.Graft != nil {
		if files[bundle.ModelFile], err = e.graft(net, files[bundle.LabelsFile]); err != nil {
			return bundle.Manifest{}, nil, fmt.Errorf("pull %s: %w", e.Name, err)
		}
	}
	m := e.Manifest
	m.Name = e.Name
	if m.Source == "" {
		m.Source = e.Model.Origin()
	}
	return m, files, nil
}

type fetcher struct {
	o        Options
	progress func(done, total int64)
}

// beside is where a model's labels lie when the model was given as a local file or folder; empty where they do not.
func (f *fetcher) beside(from string, b *Blob) string {
	if from == "" || isURL(from) {
		return ""
	}
	dir := from
	if st, err := os.Stat(from); err == nil && !st.IsDir() {
		dir = filepath.Dir(from)
	}
	if p := filepath.Join(dir, b.File); exists(p) {
		return p
	}
	return ""
}

func exists(p string) bool { _, err := os.Stat(p); return err == nil }

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// get reads the blob and verifies it.
func (f *fetcher) get(ctx context.Context, b *Blob, from string) ([]byte, error) {
	hint := ""
	switch {
	case from != "":
	case b.Own != "":
		r, err := own.Open("own/" + b.Own)
		if err != nil {
			return nil, fmt.Errorf("this program was built wrongly: %w", err)
		}
		defer r.Close()
		return f.read(ctx, r, b, b.Own)
	case b.Native != "":
		from = filepath.Join(f.o.NativeDir, filepath.FromSlash(b.Native))
		hint = "run make setup"
	default:
		from = b.URL
	}
	if !isURL(from) {
		if st, err := os.Stat(from); err == nil && st.IsDir() {
			from = filepath.Join(from, b.File)
		}
	}
	r, err := f.open(ctx, from)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &bundle.Error{Path: from, Problem: "no such file" + orHint(hint), Hint: hint, Err: bundle.ErrNotFound}
		}
		return nil, &bundle.Error{Path: from, Problem: err.Error(), Err: err,
			Hint: "without a network, get the file elsewhere and name it with --from"}
	}
	defer r.Close()
	return f.read(ctx, r, b, from)
}

func orHint(hint string) string {
	if hint == "" {
		return ""
	}
	return ": " + hint
}

func (f *fetcher) open(ctx context.Context, from string) (io.ReadCloser, error) {
	if !isURL(from) {
		return os.Open(from)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	client := f.o.Client
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, fmt.Errorf("the server says %s", res.Status)
	}
	return res.Body, nil
}

// read takes in at most what the catalogue expects and one byte more, so that a wrong source ends early.
func (f *fetcher) read(ctx context.Context, r io.Reader, b *Blob, from string) ([]byte, error) {
	h := sha256.New()
	out := make([]byte, 0, b.Size+1)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := r.Read(out[len(out):min(cap(out), len(out)+1<<18)])
		h.Write(out[len(out) : len(out)+n])
		out = out[:len(out)+n]
		if f.progress != nil {
			f.progress(int64(len(out)), b.Size)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, &bundle.Error{Path: from, Problem: err.Error(), Err: err, Hint: "try again"}
		}
		if int64(len(out)) > b.Size {
			return nil, &bundle.Error{Path: from, Err: bundle.ErrMismatch, Hint: "it is another file or another version",
				Problem: fmt.Sprintf("larger than the %d bytes expected of sha256 %s", b.Size, b.SHA256)}
		}
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != b.SHA256 {
		return nil, &bundle.Error{Path: from, Err: bundle.ErrMismatch, Hint: "it is another file, another version, or damaged",
			Problem: fmt.Sprintf("sha256 is %s, expected %s (%d bytes of %d)", got, b.SHA256, len(out), b.Size)}
	}
	return out, nil
}

// graft builds the classifier.
func (e *Entry) graft(net, labels []byte) ([]byte, error) {
	base, err := flat.Read(net)
	if err != nil {
		return nil, err
	}
	raw, err := own.ReadFile("own/" + e.Graft.Head)
	if err != nil {
		return nil, fmt.Errorf("graft head: %w", err)
	}
	if s := sha256.Sum256(raw); hex.EncodeToString(s[:]) != e.Graft.SHA256 {
		return nil, &bundle.Error{Path: e.Graft.Head, Err: bundle.ErrMismatch, Hint: "this program was built wrongly",
			Problem: fmt.Sprintf("sha256 is %x, expected %s", s, e.Graft.SHA256)}
	}
	head, err := ParseHead(raw)
	if err != nil {
		return nil, fmt.Errorf("graft head: %w", err)
	}
	m := e.Manifest
	m.Name = e.Name
	return Classifier(base, e.Graft.Tensors, m, e.About, head, labels)
}

// Classifier grafts a head onto a backbone and writes the .tflite file, with the labels inside for other tools. The
// manifest gives name and input; tensors are as in Backbone.
func Classifier(net *flat.Model, tensors []int, m bundle.Manifest, about string, head *Head, labels []byte) ([]byte, error) {
	c, err := Backbone(net, tensors, m.Input)
	if err != nil {
		return nil, err
	}
	if err := c.Head(head.W, head.B); err != nil {
		return nil, err
	}
	c.Description = about
	meta := flat.Meta{Name: m.Name, Description: about, Mean: m.Input.Mean, Std: m.Input.Std}
	if m.Input.Colour != "bgr" { // the metadata has no word for it
		meta.Colour = m.Input.Colour
	}
	c.SetMeta(meta, labels)
	return c.Bytes()
}

// Backbone cuts a network at the given tensors, maps of features [1 H W C], gives it another input size and averages
// each map over the picture: the only output is an embedding, the averages joined in the order of tensors.
func Backbone(m *flat.Model, tensors []int, in bundle.Input) (*flat.Model, error) {
	c, err := m.Cut(tensors...)
	if err != nil {
		return nil, err
	}
	if err := c.Resize(in.Height, in.Width); err != nil {
		return nil, err
	}
	if err := c.Mean(); err != nil {
		return nil, err
	}
	return c, nil
}
