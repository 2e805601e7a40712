// Package features computes what a frozen backbone sees in the examples of a data set, once: the answers are kept in a cache on
// disk, keyed by the backbone's bytes, how pixels become its input, and the examples' pixels: a label that was put right costs
// nothing. It trains nothing.
package features

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"golang.org/x/sync/errgroup"

	"gleaner/capture"
	"gleaner/model/bundle"
	"gleaner/model/flat"
	"gleaner/train/dataset/pack"
	"gleaner/train/imprint"
)

// Options say what computes features and where they are kept.
type Options struct {
	Backbone *flat.Model  // its only output is an embedding, float32
	Input    bundle.Input // how pixels become its input
	Cache    string       // folder; empty: nothing is kept
	Workers  int          // interpreters; 0 means 2
	// Progress, if not nil, is told how many examples are done, from several goroutines.
	Progress func(done, total int)
	// Note, if not nil, is told where the features could not be kept.
	Note func(string)
}

// Of is the features of a set's examples, in their order, from the cache where it has them.
func Of(ctx context.Context, s *pack.Set, o Options) ([][]float32, error) {
	file, err := o.Backbone.Bytes()
	if err != nil {
		return nil, fmt.Errorf("features of %s: %w", s.Path, err)
	}
	path := ""
	if o.Cache != "" {
		path = filepath.Join(o.Cache, key(file, o.Input, s)+".features")
	}
	f, err := Keep(path, len(s.Examples), o.Note, func() ([][]float32, error) { return compute(ctx, s, o) })
	if err != nil {
		return nil, fmt.Errorf("features of %s: %w", s.Path, err)
	}
	return f, nil
}

func key(model []byte, in bundle.Input, s *pack.Set) string {
	spec, err := json.Marshal(in)
	if err != nil {
		panic(err) // numbers and strings
	}
	h := sha256.New()
	sum := sha256.Sum256(model)
	h.Write(sum[:])
	h.Write(spec)
	fmt.Fprintf(h, "%+v\n", s.Format)
	for _, e := range s.Examples {
		fmt.Fprintf(h, "%x %g %08x\n", e.Source.SHA256, e.Box, e.CRC)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:16])
}

func compute(ctx context.Context, s *pack.Set, o Options) ([][]float32, error) {
	out := make([][]float32, len(s.Examples))
	workers := max(o.Workers, 0)
	if workers == 0 {
		workers = 2
	}
	g, ctx := errgroup.WithContext(ctx)
	next := make(chan int)
	g.Go(func() error {
		defer close(next)
		for i := range out {
			select {
			case next <- i:
			case <-ctx.Done():
				return ctx.Err()
			}
			if o.Progress != nil {
				o.Progress(i+1, len(out))
			}
		}
		return nil
	})
	for range workers {
		g.Go(func() error {
			e, err := imprint.NewExtractor(o.Backbone, o.Input)
			if err != nil {
				return err
			}
			defer e.Close()
			buf := make([]byte, s.Format.Bytes())
			for i := range next {
				if err := s.Pixels(i, buf); err != nil {
					return err
				}
				im := capture.Image{Pix: buf, Stride: 3 * s.Format.Width, W: s.Format.Width, H: s.Format.Height}
				if out[i], err = e.Features(im); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return out, g.Wait()
}

// errDamaged says that a file of the cache is not whole; it is computed anew.
var errDamaged = errors.New("damaged features")

// magic begins a file of the cache: number of vectors, numbers in each, the numbers (float32, little-endian, a vector after the
// other), CRC-32C of all before.
const magic = "GLFEAT1\n"

func save(path string, f [][]float32) error {
	var b bytes.Buffer
	b.WriteString(magic)
	width := 0
	if len(f) > 0 {
		width = len(f[0])
	}
	b.Write(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, uint32(len(f))), uint32(width)))
	for _, v := range f {
		for _, x := range v {
			b.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(x)))
		}
	}
	b.Write(binary.LittleEndian.AppendUint32(nil, crc32.Checksum(b.Bytes(), crc32.MakeTable(crc32.Castagnoli))))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, b.Bytes(), 0o644)
}

func load(path string, n int) ([][]float32, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(b, n)
}

// parse reads a file of the cache that must hold n vectors.
func parse(b []byte, n int) ([][]float32, error) {
	if len(b) < len(magic)+12 || string(b[:len(magic)]) != magic {
		return nil, errDamaged
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	head := body[len(magic):]
	count, width := int(binary.LittleEndian.Uint32(head)), int(binary.LittleEndian.Uint32(head[4:]))
	if count != n || count*width*4 != len(head)-8 || crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != sum {
		return nil, errDamaged
	}
	data := head[8:]
	f := make([][]float32, count)
	for i := range f {
		f[i] = make([]float32, width)
		for k := range f[i] {
			f[i][k] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*(i*width+k):]))
		}
	}
	return f, nil
}
