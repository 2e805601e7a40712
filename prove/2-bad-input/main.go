// Command 2-bad-input shows the line on bad input of the training issue: shapes that do not fit, a loss that becomes NaN, a full
// disk, a checkpoint of another network, an unknown operator in an imported file, a missing plug-in, wrong options and wrong
// pictures give one clear line each, with exit code 2 for what was given and 1 for what failed on the way, and nothing is lost.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
	"slices"

	"gleaner/prove/internal/cases"
)

const bar = "all: one line that names the culprit, exit code 2 or 1, no stack trace, nothing lost"

func main() { cases.Main(bar, all) }

func all(dir string) ([]cases.Case, error) {
	b := &bench{Files: cases.Files{Dir: dir}}
	if err := b.prepare(); err != nil {
		return nil, err
	}
	return slices.Concat(b.options(), b.pictures(), b.networks(), b.checkpoints(), b.onTheWay()), nil
}

// bench is where the cases find their files.
type bench struct {
	cases.Files
	data     string // an idx folder of pictures that are easily learnt
	finished string // the folder of a run that is over
	runs     int    // folders that were made
}

// prepare makes the pictures and a finished run.
func (b *bench) prepare() error {
	b.data = filepath.Join(b.Dir, "그림")
	b.idx(b.data, 120)
	b.finished = b.out()
	if code, errs, err := cases.Gleaner(b.train(b.data, b.finished)...); err != nil || code != 0 {
		return fmt.Errorf("a run that should work: exit code %d, %v: %s", code, err, errs)
	}
	return nil
}

// idx makes an idx folder of n pictures of 12×12 with three classes.
func (b *bench) idx(dir string, n int) {
	pix, labels := []byte{0, 0, 8, 3}, binary.BigEndian.AppendUint32([]byte{0, 0, 8, 1}, uint32(n))
	for _, d := range []int{n, 12, 12} {
		pix = binary.BigEndian.AppendUint32(pix, uint32(d))
	}
	for i := range n {
		for p := range 144 {
			pix = append(pix, byte([]int{20, 230, 230 * (p % 12 / 6)}[i%3]+(i*7+p*13)%20))
		}
		labels = append(labels, byte(i%3))
	}
	b.File(filepath.Join(dir, "train-images-idx3-ubyte"), pix)
	b.File(filepath.Join(dir, "train-labels-idx1-ubyte"), labels)
}

// picture is a small PNG of one grey.
func picture(grey uint8) []byte {
	im := image.NewGray(image.Rect(0, 0, 16, 16))
	for i := range 256 {
		im.Set(i%16, i/16, color.Gray{grey})
	}
	var out bytes.Buffer
	if err := png.Encode(&out, im); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// out is a new run's folder, which is not there yet.
func (b *bench) out() string {
	b.runs++
	return filepath.Join(b.Dir, fmt.Sprintf("run %d", b.runs))
}

// train is the command line of a small run.
func (b *bench) train(data, out string, more ...string) []string {
	return append([]string{"train", "data=" + data, "out=" + out, "net=cnn-small", "width=0.25", "units=8", "device=ref", "epochs=3", "batch=8",
		"val=0.2", "lr=0.01"}, more...)
}

// ends runs a command line that must end with that exit code and one line of error with every one of want, behind at most so
// many lines of other notes.
func ends(code, notes int, want []string, args ...string) error {
	is, errs, err := cases.Gleaner(args...)
	if err != nil {
		return err
	}
	return cases.Told(is, errs, code, notes, want)
}
