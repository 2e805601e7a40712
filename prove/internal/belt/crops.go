package belt

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"

	"gleaner/capture"
	"gleaner/capture/cv"
	"gleaner/capture/pictures"
	"gleaner/classify"
	"gleaner/daemon"
	"gleaner/detect"
)

// Crops lets the belt run past the camera, once with each seed, and writes the crop of each object's record into dir, as PNG, and
// dir/list.txt: the pictures that the belt carries and the crops, with the labels that a person who sorts them would give. The camera
// needs no classifier. It returns the list's path.
func Crops(ctx context.Context, spec daemon.CameraSpec, dir string, seeds ...uint64) (list string, err error) {
	spec.Classify.Models = nil
	set, err := pictures.Open(spec.Belt.Pictures)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	list = filepath.Join(dir, "list.txt")
	f, err := os.Create(list)
	if err != nil {
		return "", err
	}
	w := csv.NewWriter(f)
	w.Comma = '\t'
	for i := range set.Len() {
		_ = w.Write([]string{set.Path(i), set.Labels()[set.Label(i)]}) // an error stays until Flush
	}
	for _, spec.Belt.Seed = range seeds {
		if err = crops(ctx, spec, dir, w); err != nil {
			break
		}
	}
	w.Flush()
	return list, errors.Join(err, w.Error(), f.Close())
}

// crops writes the crops of one belt, and their lines of the list.
func crops(ctx context.Context, spec daemon.CameraSpec, dir string, list *csv.Writer) error {
	l := &ledger{}
	if _, err := daemon.Replay(ctx, spec, daemon.DefaultModelOptions(), daemon.ReplayOptions{Sink: l, Device: l.device}); err != nil {
		return err
	}
	truth := l.belt.Truth()
	score := l.belt.Score(truth, l.seen)
	due := map[int][]int{} // items by the frame of their record
	for i, s := range score.By {
		if s >= 0 {
			n := l.belt.FrameAt(l.seen[s].Time)
			due[n] = append(due[n], i)
		}
	}
	return frames(ctx, spec, func(im capture.Image, n int) error {
		for _, i := range due[n] {
			b := l.seen[score.By[i]].Box
			c := classify.Crop(im, detect.Box{X0: float32(b.Min.X), Y0: float32(b.Min.Y), X1: float32(b.Max.X), Y1: float32(b.Max.Y)}, spec.Classify)
			path := filepath.Join(dir, fmt.Sprintf("%d-%04d.png", spec.Belt.Seed, truth[i].Index))
			if err := errors.Join(writePNG(path, im, c), list.Write([]string{path, truth[i].Label})); err != nil {
				return err
			}
		}
		return nil
	})
}

// frames draws the camera's belt once more and shows each frame and its number to fn, which it is lent to.
func frames(ctx context.Context, spec daemon.CameraSpec, fn func(im capture.Image, n int) error) error {
	o := spec.Options
	o.Pace = "fast"
	dev, err := cv.NewDevice(o)
	if err != nil {
		return err
	}
	src, err := dev.Open(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	buf := dev.NewBuffer()
	defer buf.Close()
	for {
		t, err := src.Read(ctx, buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := fn(buf.Image(), dev.(*capture.Belt).FrameAt(t)); err != nil {
			return err
		}
	}
}

func writePNG(path string, im capture.Image, part image.Rectangle) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(f, im.Sub(part).ToGo()), f.Close())
}
