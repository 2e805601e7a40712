package imprint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/google/renameio/v2"

	"gleaner/capture"
	"gleaner/capture/pictures"
	"gleaner/classify"
	"gleaner/model/bundle"
	"gleaner/model/bundle/catalogue"
	"gleaner/model/flat"
)

// GarmentsOptions says how the head of the demo's classifier is made again.
type GarmentsOptions struct {
	NativeDir string // the folder that setup filled; the backbone is below it
	Out       string // the folder to write garments.bin and garments.json into
	Size      int    // the input's side in pixels
	Tensors   []int  // the layers that are averaged, by number in the backbone's file
	Stills    int    // training pictures that are seen as they are, at most 60,000
	OnBelt    int    // training pictures that are seen on the drawn belt, in two views each; taken from the set's end
	TestBelt  int    // test pictures that are seen on the belt; as stills all 10,000 are
	Workers   int    // pictures worked on at a time
	// Progress, if not nil, is told now and then how many pictures of how many are done, from several goroutines.
	Progress func(done, total int)
}

// DefaultGarmentsOptions is how the shipped head was made, for the source tree in the working directory.
func DefaultGarmentsOptions() GarmentsOptions {
	return GarmentsOptions{NativeDir: ".native", Out: filepath.Join("model", "bundle", "catalogue", "heads"),
		Size: 128, Tensors: []int{187, 203}, Stills: 16000, OnBelt: 40000, TestBelt: 3000, Workers: 2}
}

// GarmentsResult is what was measured on pictures that no mean has seen.
type GarmentsResult struct {
	Stills float64 // share of right answers on the 10,000 test pictures as they are
	Belt   float64 // the same on test pictures lying on the belt, one view each
	Bytes  int     // of the head's file
}

// views is in how many frames a training item on the belt is seen.
const views = 2

// Garments makes the head for the ten classes of Fashion-MNIST: the training pictures, as they are and lying on the
// drawn belt, go through the backbone, and Fit makes a head of their class means. The test pictures only measure it. It
// writes the head and the catalogue's entry. It takes minutes.
func Garments(ctx context.Context, o GarmentsOptions) (GarmentsResult, error) {
	res, err := garments(ctx, o)
	if err != nil {
		return res, fmt.Errorf("imprint garments: %w", err)
	}
	return res, nil
}

func garments(ctx context.Context, o GarmentsOptions) (res GarmentsResult, err error) {
	ssd, net, err := openBackbone(ctx, o.NativeDir)
	if err != nil {
		return res, err
	}
	in := inputOf(o.Size)
	backbone, err := catalogue.Backbone(net, o.Tensors, in)
	if err != nil {
		return res, err
	}
	train, err := pictures.Open("fashion-mnist:train")
	if err != nil {
		return res, err
	}
	test, err := pictures.Open("fashion-mnist:test")
	if err != nil {
		return res, err
	}
	n := train.Len()
	g := gatherer{o: o, backbone: backbone, in: in, total: o.Stills + views*o.OnBelt + test.Len() + o.TestBelt}
	seen, err := g.gather(ctx, append(g.stills(train, 0, min(o.Stills, n)), g.belts(train, max(0, n-o.OnBelt), n, views, 1)...))
	if err != nil {
		return res, err
	}
	w, b, err := Fit(seen.features, seen.labels, len(train.Labels()), DefaultOptions())
	if err != nil {
		return res, err
	}
	raw, err := (&catalogue.Head{W: w, B: b}).Bytes()
	if err != nil {
		return res, err
	}
	h, err := catalogue.ParseHead(raw) // as rounded, it is what will run
	if err != nil {
		return res, err
	}
	still, err := g.gather(ctx, g.stills(test, 0, test.Len()))
	if err != nil {
		return res, err
	}
	belt, err := g.gather(ctx, g.belts(test, 0, min(o.TestBelt, test.Len()), 1, 2))
	if err != nil {
		return res, err
	}
	res = GarmentsResult{Stills: Score(still.features, still.labels, h.W, h.B),
		Belt: Score(belt.features, belt.labels, h.W, h.B), Bytes: len(raw)}
	on := fmt.Sprintf("the %d test pictures of Fashion-MNIST as they are; lying on the drawn belt, one view each: %.4f of %d",
		len(still.labels), res.Belt, len(belt.labels))
	return res, writeEntry(o.Out, entry(o, ssd, in, train.Labels(), raw, res.Stills, on), raw)
}

func entry(o GarmentsOptions, ssd catalogue.Entry, in bundle.Input, labels []string, raw []byte, accuracy float64, on string) catalogue.Entry {
	sum := sha256.Sum256(raw)
	return catalogue.Entry{Name: "garments", Words: labels, Model: ssd.Model,
		About: "The demo's classifier: ten kinds of garments, from class means of the features of ssd-oidv4's backbone.",
		Graft: &catalogue.Graft{Tensors: o.Tensors, Head: "garments.bin", SHA256: hex.EncodeToString(sum[:])},
		Manifest: bundle.Manifest{Version: hex.EncodeToString(sum[:4]), Task: "classify", Head: "probs", Input: in,
			Accuracy: accuracy, AccuracyOn: on, Licence: "Apache-2.0 (backbone); head imprinted from Fashion-MNIST (MIT)"}}
}

// writeEntry writes an entry of the catalogue and its head into a folder.
func writeEntry(dir string, e catalogue.Entry, raw []byte) error {
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	for name, b := range map[string][]byte{e.Graft.Head: raw, e.Name + ".json": append(text, '\n')} {
		if err := renameio.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// seen is what the backbone made of pictures.
type seen struct {
	features [][]float32
	labels   []int
}

// job shows some pictures, one after the other.
type job func(ctx context.Context, show func(im capture.Image, class int) error) error

// gatherer spreads jobs over workers.
type gatherer struct {
	o        GarmentsOptions
	backbone *flat.Model
	in       bundle.Input
	total    int
	lenient  bool // pass over pictures that cannot be read

	mu      sync.Mutex
	done    int
	skipped int // pictures that were passed over
}

// stills are jobs that show pictures from to to-1 as they are.
func (g *gatherer) stills(p *pictures.Set, from, to int) []job {
	var out []job
	for a := from; a < to; a += stretchOfBelt {
		out = append(out, func(ctx context.Context, show func(capture.Image, int) error) error {
			for i := a; i < min(a+stretchOfBelt, to); i++ {
				im, err := p.Image(i)
				if err != nil && g.lenient {
					g.mu.Lock()
					g.skipped++
					g.mu.Unlock()
					continue
				}
				if err != nil {
					return err
				}
				if err := show(im, p.Label(i)); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	return out
}

// belts are jobs that show pictures from to to-1 on the belt.
func (g *gatherer) belts(p *pictures.Set, from, to, views int, seed uint64) []job {
	var out []job
	for a := from; a < to; a += stretchOfBelt {
		out = append(out, func(ctx context.Context, show func(capture.Image, int) error) error {
			return beltCrops(ctx, p, a, min(a+stretchOfBelt, to), views, seed, classify.DefaultOptions(), show)
		})
	}
	return out
}

// gather does the jobs; the result is in their order.
func (g *gatherer) gather(ctx context.Context, jobs []job) (seen, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	parts, next := make([]seen, len(jobs)), make(chan int)
	var wg sync.WaitGroup
	for range max(1, g.o.Workers) {
		wg.Go(func() {
			if err := g.work(ctx, jobs, parts, next); err != nil {
				cancel(err)
			}
		})
	}
feed:
	for i := range jobs {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	var out seen
	if err := context.Cause(ctx); err != nil {
		return out, err
	}
	for _, p := range parts {
		out.features = append(out.features, p.features...)
		out.labels = append(out.labels, p.labels...)
	}
	return out, nil
}

func (g *gatherer) work(ctx context.Context, jobs []job, parts []seen, next <-chan int) error {
	e, err := NewExtractor(g.backbone, g.in)
	if err != nil {
		return err
	}
	defer e.Close()
	for i := range next {
		p := &parts[i]
		err := jobs[i](ctx, func(im capture.Image, class int) error {
			f, err := e.Features(im)
			p.features, p.labels = append(p.features, f), append(p.labels, class)
			return err
		})
		if err != nil {
			return err
		}
		g.mu.Lock()
		g.done += len(p.labels)
		done := g.done
		g.mu.Unlock()
		if g.o.Progress != nil {
			g.o.Progress(done, g.total)
		}
	}
	return nil
}
