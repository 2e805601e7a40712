package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"gleaner/capture"
	"gleaner/capture/pictures"
	"gleaner/classify/prep"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/train/dataset/exif"
)

// Options say how pictures are opened.
type Options struct {
	// Input is how pixels become numbers, and at what size. With Width 0 the size and the colours are those of the pictures
	// of an idx file; pictures in files need them.
	Input bundle.Input
	// Cache is how many bytes of pictures, sized as Input says, are kept in memory; the others are decoded each time.
	Cache   int64
	Workers int // pictures decoded at a time; 0 means 1
	Augment Augment
	// Labels are the classes, where another set has settled them already; nil: those that are found, in the order of names.
	Labels []string
	// Progress, if not nil, is told now and then how many pictures of how many are decoded.
	Progress func(done, total int)
}

// Pictures are labelled pictures of one size, out of an idx file, a folder, or a list. Pictures in files are turned upright as
// their EXIF orientation says, as OpenCV does on the device.
type Pictures struct {
	source  source
	input   bundle.Input
	heads   []Head
	label   []int // class of picture i
	at      []int // its number in source
	skipped []pictures.Skipped
	sum     string

	pix   []byte // sized pictures 0 to cached-1, HWC
	size  int    // bytes of one
	preps sync.Pool

	augment Augment
	floor   floor
	table   [3][256]float32 // of a channel's value, by channel
}

// Open reads the pictures at path: a data set file, what pictures.Open knows (an idx file, a list of files with their classes, a
// folder with a sub-folder per class, a folder of files named by class), or a folder with the idx files of a training set
// (train-images-idx3-ubyte). It decodes each picture once; those that cannot be decoded are left out and told by Skipped.
func Open(ctx context.Context, path string, o Options) (*Pictures, error) {
	set, err := openSource(path)
	if err != nil {
		return nil, err
	}
	p := &Pictures{source: set, input: o.Input, augment: o.Augment, skipped: set.Skipped()}
	if err := p.settle(&o, path); err != nil {
		return nil, err
	}
	if err := p.decodeAll(ctx, o); err != nil {
		return nil, fmt.Errorf("open pictures %s: %w", path, err)
	}
	return p, nil
}

// TestSource is the idx file of the test set (t10k-images-idx3-ubyte) beside that of the training set which source names;
// empty if there is none.
func TestSource(source string) string {
	if f := idxFile(source, "t10k"); f != source {
		return f
	}
	return ""
}

// idxFile is the images file of a part, in a folder of idx files; source itself if it is no such folder.
func idxFile(source, part string) string {
	for _, ext := range []string{"", ".gz"} {
		f := filepath.Join(source, part+"-images-idx3-ubyte"+ext)
		if st, err := os.Stat(f); err == nil && st.Mode().IsRegular() {
			return f
		}
	}
	return source
}

// settle works out the input and the labels.
func (p *Pictures) settle(o *Options, source string) error {
	if set, ok := p.source.(packed); ok && o.Labels == nil && p.Misfit() != "" {
		p.input.Fit = set.set.Format.Fit // the crops are made already, and the daemon can make its own so
	}
	if p.input.Width == 0 {
		if !p.source.Cutout() {
			return fmt.Errorf("open pictures %s: the size that pictures in files are brought to is missing", source)
		}
		im, err := p.source.Image(0)
		if err != nil {
			return err
		}
		p.input.Width, p.input.Height = im.W, im.H
		if p.input.Colour == "" {
			p.input.Colour = "gray"
		}
	}
	channels := p.input.Channels()
	shape := []int{1, p.input.Height, p.input.Width, channels}
	if _, err := prep.New(p.input, model.Tensor{Name: "pictures", Type: model.Float32, Shape: shape}); err != nil {
		return fmt.Errorf("open pictures %s: %w", source, err)
	}
	p.size = p.input.Width * p.input.Height * channels
	p.preps.New = func() any {
		as := p.input
		as.Mean, as.Std = []float32{0}, []float32{1} // the pixels themselves: the numbers are made of them in Input
		f, _ := prep.New(as, model.Tensor{Name: "pictures", Type: model.UInt8, Shape: shape})
		return f // not nil: all that can be wrong was tried above
	}
	p.floor = newFloor(o.Augment.Backdrop, p.input.Colour)
	for c := range channels {
		mean, std := p.input.Mean[c%len(p.input.Mean)], p.input.Std[c%len(p.input.Std)]
		for v := range 256 {
			p.table[c][v] = (float32(v) - mean) / std // as prep has it
		}
	}
	labels := p.source.Labels()
	if o.Labels != nil {
		labels = o.Labels
		for _, l := range p.source.Labels() {
			if !slices.Contains(labels, l) {
				return fmt.Errorf("open pictures %s: the class %q is not one that is trained: %s", source, l, strings.Join(labels, ", "))
			}
		}
	}
	p.heads = []Head{{Name: "class", Labels: slices.Clone(labels)}}
	return nil
}

// decodeAll decodes every picture once, keeps as many as the cache holds, and leaves the broken ones out.
func (p *Pictures) decodeAll(ctx context.Context, o Options) error {
	n := p.source.Len()
	kept := int(min(int64(n), o.Cache/int64(p.size)))
	sized := make([]byte, kept*p.size)
	sums := make([][sha256.Size]byte, n)
	broken := make([]error, n)
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for w := range max(1, o.Workers) {
		wg.Go(func() {
			scratch := make([]byte, p.size)
			for i := w; i < n && ctx.Err() == nil; i += max(1, o.Workers) {
				dst := scratch
				if i < kept {
					dst = sized[i*p.size : (i+1)*p.size]
				}
				if broken[i] = p.decode(dst, i); broken[i] == nil {
					sums[i] = sha256.Sum256(dst)
				}
				mu.Lock()
				if done++; o.Progress != nil && (done%64 == 0 || done == n) {
					o.Progress(done, n)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	all := sha256.New()
	for i := range n {
		if broken[i] != nil {
			p.skipped = append(p.skipped, pictures.Skipped{Path: p.source.Path(i), Reason: reason(broken[i], p.source.Path(i))})
			continue
		}
		if i < kept { // close up the gaps that broken ones left
			copy(sized[len(p.pix):], sized[i*p.size:(i+1)*p.size])
			p.pix = sized[:len(p.pix)+p.size]
		}
		label := slices.Index(p.heads[0].Labels, p.source.Labels()[p.source.Label(i)])
		p.at, p.label = append(p.at, i), append(p.label, label)
		fmt.Fprintf(all, "%d %x\n", label, sums[i])
	}
	fmt.Fprintln(all, p.heads[0].Labels)
	p.sum = hex.EncodeToString(all.Sum(nil))
	if len(p.at) == 0 {
		return fmt.Errorf("%w (%d files left out, such as %s: %s)", pictures.ErrEmpty, len(p.skipped), p.skipped[0].Path, p.skipped[0].Reason)
	}
	return nil
}

// reason is why a picture is left out, without its path.
func reason(err error, path string) string {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return strings.TrimPrefix(err.Error(), "decode picture "+path+": ")
}

// decode brings picture i of the source to its size.
func (p *Pictures) decode(dst []byte, i int) error {
	im, err := p.source.Image(i)
	if err != nil {
		return err
	}
	if !p.source.Cutout() {
		im = exif.Upright(im, exif.OrientationOf(p.source.Path(i)))
	}
	f := p.preps.Get().(*prep.Prep)
	f.Fill(dst, im)
	p.preps.Put(f)
	return nil
}

// Len is the number of pictures.
func (p *Pictures) Len() int { return len(p.at) }

// Shape is [H W C].
func (p *Pictures) Shape() []int { return []int{p.input.Height, p.input.Width, p.input.Channels()} }

// Heads is the one question that a class answers.
func (p *Pictures) Heads() []Head { return p.heads }

// Label is the class of picture i.
func (p *Pictures) Label(i, _ int) int { return p.label[i] }

// Name is the picture's file, or the idx file with its number.
func (p *Pictures) Name(i int) string { return p.source.Path(p.at[i]) }

// Spec is how the pixels become numbers, for the bundle.
func (p *Pictures) Spec() bundle.Input { return p.input }

// Cached is how many bytes of pictures are kept in memory.
func (p *Pictures) Cached() int64 { return int64(len(p.pix)) }

// Skipped are the files that were left out, and why.
func (p *Pictures) Skipped() []pictures.Skipped { return p.skipped }

// Misfit warns where the pictures were made to fit in another way than the input asks for; empty where not.
func (p *Pictures) Misfit() string { return misfit(p.source, p.input.Fit) }

// Sum is a lower-case hex sha256 of the sized pictures and their labels, in their order: the same data has the same sum.
func (p *Pictures) Sum() string { return p.sum }

// Picture is picture i as it lies in its file, upright, in new memory.
func (p *Pictures) Picture(i int) (capture.Image, error) {
	im, err := p.source.Image(p.at[i])
	if err == nil && !p.source.Cutout() {
		im = exif.Upright(im, exif.OrientationOf(p.Name(i)))
	}
	return im, err
}

// Group names what picture i belongs together with; empty where nothing is known.
func (p *Pictures) Group(i int) string { return exampleOf(p.source, p.at[i]).Group }

// Attributes are what else the label of picture i says, such as the camera; nil where that is nothing.
func (p *Pictures) Attributes(i int) map[string]string {
	return exampleOf(p.source, p.at[i]).Attributes
}

// Input writes picture i: as classify/prep does, and changed at random as Options.Augment says where r is not nil.
func (p *Pictures) Input(dst []float32, i int, r *rand.Rand) error {
	var src []byte
	if at := i * p.size; at < len(p.pix) {
		src = p.pix[at : at+p.size]
	} else {
		src = make([]byte, p.size)
		if err := p.decode(src, p.at[i]); err != nil {
			return fmt.Errorf("read picture %s: %w", p.Name(i), err)
		}
	}
	w, h, c := p.input.Width, p.input.Height, p.input.Channels()
	switch {
	case r == nil:
		p.plain(dst, src)
	case p.augment.samples():
		red := 0
		if p.input.Colour == "bgr" {
			red = 2
		}
		p.augment.warp(dst, src, frame{w: w, h: h, c: c, red: red, table: &p.table, floor: p.floor}, r)
	default:
		p.augment.apply(dst, src, w, h, c, &p.table, r)
	}
	return nil
}

func (p *Pictures) plain(dst []float32, src []byte) {
	switch p.input.Channels() {
	case 1:
		for k, v := range src {
			dst[k] = p.table[0][v]
		}
	default:
		for k := 0; k+2 < len(src); k += 3 {
			dst[k], dst[k+1], dst[k+2] = p.table[0][src[k]], p.table[1][src[k+1]], p.table[2][src[k+2]]
		}
	}
}
