package imprint

import (
	"context"
	"sync"

	"gleaner/capture"
	"gleaner/capture/pictures"
	"gleaner/model/bundle"
	"gleaner/model/flat"
	"gleaner/train/dataset/exif"
)

// stretch is how many pictures a worker takes at a time.
const stretch = 400

// seen is what the backbone made of pictures.
type seen struct {
	features [][]float32
	labels   []int
}

// gatherer spreads pictures over workers. Those that cannot be read are passed over and counted.
type gatherer struct {
	workers  int                   // pictures worked on at a time
	progress func(done, total int) // told now and then, from several goroutines; nil: nobody is
	backbone *flat.Model
	in       bundle.Input
	pictures *pictures.Set

	mu      sync.Mutex
	done    int
	skipped int
}

// gather shows all pictures to the backbone; the result is in their order.
func (g *gatherer) gather(ctx context.Context) (seen, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	parts := make([]seen, (g.pictures.Len()+stretch-1)/stretch)
	next := make(chan int, len(parts))
	for i := range parts {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	for range max(1, g.workers) {
		wg.Go(func() {
			if err := g.work(ctx, parts, next); err != nil {
				cancel(err)
			}
		})
	}
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

func (g *gatherer) work(ctx context.Context, parts []seen, next <-chan int) error {
	e, err := NewExtractor(g.backbone, g.in)
	if err != nil {
		return err
	}
	defer e.Close()
	for n := range next {
		p, skipped := &parts[n], 0
		for i := n * stretch; i < min((n+1)*stretch, g.pictures.Len()); i++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			im, err := g.picture(i)
			if err != nil {
				skipped++
				continue
			}
			f, err := e.Features(im)
			if err != nil {
				return err
			}
			p.features, p.labels = append(p.features, f), append(p.labels, g.pictures.Label(i))
		}
		g.tell(len(p.labels)+skipped, skipped)
	}
	return nil
}

// picture is picture i upright, as training and the camera see it; a cut-out has no way up.
func (g *gatherer) picture(i int) (capture.Image, error) {
	im, err := g.pictures.Image(i)
	if err == nil && !g.pictures.Cutout() {
		im = exif.Upright(im, exif.OrientationOf(g.pictures.Path(i)))
	}
	return im, err
}

func (g *gatherer) tell(done, skipped int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.done, g.skipped = g.done+done, g.skipped+skipped
	if g.progress != nil {
		g.progress(g.done, g.pictures.Len())
	}
}
