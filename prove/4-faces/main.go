// Command 4-faces proves the masks recipe on whole pictures: a kiosk's frame in which a person's photo is a part, the face found by the
// detector, cut out and told. Photos are of a list that training never saw, each laid on a frame of 640×480, and what the pipeline says
// of the face it is surest of is compared with the same bundle's answers to the photos themselves, as `gleaner eval` gives them. A face
// that is not found, or not classified, is a wrong answer.
package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"

	"gleaner/capture"
	"gleaner/capture/pictures"
	"gleaner/classify"
	"gleaner/classify/prep"
	"gleaner/daemon"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/bundle/catalogue"
	"gleaner/prove/internal/cv"
	"gleaner/prove/internal/proof"
	"gleaner/train"
)

const bar = "the share of right answers on whole pictures at most 2 points below that on crops"

// The frame, and the height of a photo in it, in pixels.
const (
	frameW, frameH = 640, 480
	photoH         = 300
)

func main() { proof.Main(bar, prove) }

func prove(ctx context.Context, dir string) (figure string, err error) {
	lists, err := cv.Data("lists")
	if err != nil {
		return "", err
	}
	o, err := cv.Options("recipe=masks", "val=0", "test=none", "data="+filepath.Join(lists, "masks_train.txt"), "out="+filepath.Join(dir, "run"))
	if err != nil {
		return "", err
	}
	r, err := train.Fit(ctx, o, false, cv.Tell())
	if err != nil {
		return "", err
	}
	photos, err := pictures.Open(filepath.Join(lists, "masks_val.txt"))
	if err != nil {
		return "", err
	}
	var whole, crops []string
	for i := range photos.Len() {
		im, err := photos.Image(i)
		if err != nil {
			return "", fmt.Errorf("%s: %w", photos.Path(i), err)
		}
		path := filepath.Join(dir, fmt.Sprintf("%04d.png", i))
		if err := lay(path, im); err != nil {
			return "", err
		}
		whole, crops = append(whole, path), append(crops, photos.Path(i))
	}
	models := daemon.DefaultModelOptions()
	models.Dir = filepath.Join(dir, "models")
	if err := pull(ctx, models.Dir); err != nil {
		return "", err
	}
	spec := daemon.DefaultCamera()
	spec.Classify.Models = []string{r.Bundle}
	spec.Detect.Kind = "frame"
	spec.Classify.Margin, spec.Classify.Quality = 0, classify.QualityOptions{}
	_, still, err := answers(ctx, spec, models, crops, photos)
	if err != nil {
		return "", err
	}
	spec = daemon.DefaultCamera()
	spec.Classify.Models = []string{r.Bundle}
	spec.Detect.Kind, spec.Detect.Model = "face", detector
	spec.Detect.MinScore = leastScore
	spec.Classify.Margin = 0
	found, right, err := answers(ctx, spec, models, whole, photos)
	if err != nil {
		return "", err
	}
	n := float64(photos.Len())
	figure = fmt.Sprintf("%d photos that training never saw, on frames of %d×%d: %d faces found, right %.1f %%, as crops %.1f %%", photos.Len(), frameW, frameH,
		found, 100*float64(right)/n, 100*float64(still)/n)
	if float64(still-right) > 0.02*n {
		return figure, errors.New("the way over the detector costs verdicts")
	}
	return figure, nil
}

// detector is that of faces near the camera, as at a kiosk, and leastScore from where on it is believed: a mask hides half of what it
// knows faces by. Both, and the crop without a margin, were chosen on the training list, laid on frames in the same way.
const (
	detector   = "face-short"
	leastScore = 0.1
)

// pull puts the detector that set-up fetched into a store.
func pull(ctx context.Context, dir string) error {
	s, err := bundle.OpenStore(dir)
	if err != nil {
		return err
	}
	e, err := catalogue.Find(detector)
	if err != nil {
		return err
	}
	_, err = catalogue.Pull(ctx, e, "", catalogue.DefaultOptions(), s, nil)
	return err
}

// answers counts the pictures in which something was classified, and those where the surest detection got the right class.
func answers(ctx context.Context, spec daemon.CameraSpec, models daemon.ModelOptions, files []string, photos *pictures.Set) (found, right int, err error) {
	i := 0
	err = daemon.Once(ctx, spec, models, files, func(p daemon.Picture) error {
		best := -1
		for k, o := range p.Objects {
			if o.Class != "" && (best < 0 || o.Score > p.Objects[best].Score) {
				best = k
			}
		}
		if best >= 0 {
			found++
			if p.Objects[best].Class == photos.Labels()[photos.Label(i)] {
				right++
			}
		}
		i++
		return nil
	})
	return found, right, err
}

// lay writes a photo in the middle of a gray frame.
func lay(path string, im capture.Image) error {
	w := min(frameW, photoH*im.W/im.H)
	in := bundle.Input{Prep: "linear/1", Width: w, Height: photoH, Colour: "rgb", Mean: []float32{0}, Std: []float32{1}, Fit: "stretch"}
	p, err := prep.New(in, model.Tensor{Name: "photo", Type: model.UInt8, Shape: []int{1, photoH, w, 3}, Scale: 1})
	if err != nil {
		return err
	}
	photo := make([]byte, w*photoH*3)
	p.Fill(photo, im)
	frame := image.NewRGBA(image.Rect(0, 0, frameW, frameH))
	for i := range frame.Pix {
		frame.Pix[i] = []uint8{120, 125, 130, 255}[i%4]
	}
	for y := range photoH {
		for x := range w {
			c := photo[(y*w+x)*3:]
			frame.SetRGBA((frameW-w)/2+x, (frameH-photoH)/2+y, color.RGBA{c[0], c[1], c[2], 255})
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(f, frame), f.Close())
}
