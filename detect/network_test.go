package detect_test

import (
	"context"
	"encoding/binary"
	"errors"
	"image/jpeg"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"gleaner/capture"
	"gleaner/detect"
	"gleaner/detect/detecttest"
	"gleaner/internal/shared"
	"gleaner/model"
	"gleaner/model/bundle"
	"gleaner/model/tflite"
)

// canned is a Runner whose outputs never change.
type canned struct {
	in, out []model.Tensor
	err     error
}

func (c *canned) Inputs() []model.Tensor  { return c.in }
func (c *canned) Outputs() []model.Tensor { return c.out }
func (c *canned) Invoke() error           { return c.err }
func (c *canned) Info() model.Info        { return model.Info{} }
func (c *canned) Close() error            { return nil }

// one lends one Runner to one caller.
type one struct {
	r   model.Runner
	out int
}

func (o *one) Get(ctx context.Context) (model.Runner, error) { o.out++; return o.r, ctx.Err() }
func (o *one) Put(model.Runner)                              { o.out-- }

func floatTensor(name string, shape []int, v ...float32) model.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	data := make([]byte, 4*n)
	for i, f := range v {
		binary.NativeEndian.PutUint32(data[4*i:], math.Float32bits(f))
	}
	return model.Tensor{Name: name, Type: model.Float32, Shape: shape, Data: data}
}

func manifest(head string, w, h int) bundle.Manifest {
	return bundle.Manifest{Name: "test", Task: "detect", Head: head, Input: bundle.Input{Prep: "linear/1", Width: w,
		Height: h, Colour: "rgb", Mean: []float32{0}, Std: []float32{255}, Fit: "stretch"}}
}

// yolo is a v8 network of 64×32 pixels with two classes that always sees three boxes: two of one thing, one of another.
func yolo(quantised bool) (*bundle.Bundle, *one) {
	v := []float32{ // [6][3]: x, y, w, h, class a, class b
		0.25, 0.26, 0.75, 0.5, 0.5, 0.5, 0.2, 0.2, 0.2, 0.4, 0.4, 0.4, 0.9, 0.8, 0.1, 0, 0, 0.7}
	out := floatTensor("out", []int{1, 6, 3}, v...)
	if quantised {
		out.Type, out.Scale, out.Zero = model.Int8, 1./200, -100
		out.Data = out.Data[:len(v)]
		for i, f := range v {
			out.Data[i] = byte(int8(math.Round(float64(f*200)) - 100))
		}
	}
	r := &canned{in: []model.Tensor{floatTensor("in", []int{1, 32, 64, 3})}, out: []model.Tensor{out}}
	return &bundle.Bundle{Manifest: manifest("yolov8", 64, 32), Labels: []string{"a", "b"}}, &one{r: r}
}

func options(kind string) detect.Options {
	o := detect.DefaultOptions()
	o.Kind, o.Model = kind, "test"
	return o
}

func TestNetwork(t *testing.T) {
	im := capture.NewImage(200, 100)
	for _, c := range []struct {
		name      string
		quantised bool
		edit      func(*detect.Options)
		want      []string // labels, strongest first
	}{
		{"float", false, func(*detect.Options) {}, []string{"a", "b"}},
		{"int8", true, func(*detect.Options) {}, []string{"a", "b"}},
		{"one class", false, func(o *detect.Options) { o.Classes = []string{"b"} }, []string{"b"}},
		{"loose suppression", false, func(o *detect.Options) { o.IoU = 0.99 }, []string{"a", "a", "b"}},
		// Each of the 2×1 tiles and the whole sees the same canned boxes; they overlap too little to merge wholly.
		{"tiles", false, func(o *detect.Options) { o.Tiles.Size = 120 }, []string{"a", "a", "a", "b", "b", "b"}},
	} {
		b, l := yolo(c.quantised)
		o := options(detect.KindAuto)
		c.edit(&o)
		d, err := detect.New(o, b, l)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Detect(context.Background(), im, time.Time{}, nil)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var names []string
		for _, x := range got {
			names = append(names, d.Labels()[x.Class])
		}
		if strings.Join(names, " ") != strings.Join(c.want, " ") {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if x := got[0].Box; c.name == "int8" && (math.Abs(float64(x.X0-30)) > 1 || math.Abs(float64(x.Y1-70)) > 1) {
			t.Errorf("int8: box %v, want 30,30 to 70,70", x)
		}
		if l.out != 0 {
			t.Errorf("%s: %d Runners not given back", c.name, l.out)
		}
	}
}

func TestNetworkErrors(t *testing.T) {
	good, l := yolo(false)
	with := func(edit func(*bundle.Bundle)) *bundle.Bundle { b := *good; edit(&b); return &b }
	for _, c := range []struct {
		name string
		o    detect.Options
		b    *bundle.Bundle
		want string
	}{
		{"no model", options(detect.KindYOLO), nil, `detector: kind "yolo" needs a model`},
		{"classifier", options(detect.KindAuto), with(func(b *bundle.Bundle) { b.Manifest.Head = "probs" }), `finds no objects`},
		{"other kind", options(detect.KindFace), good, `kind: "face" does not fit the model's head "yolov8", which is "yolo"`},
		{"unknown class", func() detect.Options { o := options(detect.KindAuto); o.Classes = []string{"botle"}; return o }(), good,
			`classes[0]: unknown class "botle"; the model knows a, b`},
	} {
		if _, err := detect.New(c.o, c.b, l); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
	b := with(func(b *bundle.Bundle) { b.Labels = []string{"a", "b", "c"} })
	d, err := detect.New(options(detect.KindAuto), b, l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Detect(context.Background(), capture.NewImage(9, 9), time.Time{}, nil); err == nil || l.out != 0 {
		t.Errorf("three labels for two classes: error %v, %d Runners out", err, l.out)
	}
	broken := errors.New("delegate gone")
	d, _ = detect.New(options(detect.KindAuto), good, &one{r: &canned{in: l.r.Inputs(), out: l.r.Outputs(), err: broken}})
	if _, err := d.Detect(context.Background(), capture.NewImage(9, 9), time.Time{}, nil); !errors.Is(err, broken) {
		t.Errorf("a Runner that fails: error %v", err)
	}
}

func TestConforms(t *testing.T) {
	scene := detecttest.Scene(200, 100, 6, 6)
	for name, edit := range map[string]func(*detect.Options){
		"network": func(*detect.Options) {}, "tiles": func(o *detect.Options) { o.Tiles.Size = 64 },
		"frame": func(o *detect.Options) { o.Kind = detect.KindFrame },
	} {
		t.Run(name, func(t *testing.T) {
			detecttest.Run(t, func(t testing.TB) detect.Detector {
				o := options(detect.KindAuto)
				edit(&o)
				b, l := yolo(true)
				d, err := detect.New(o, b, l)
				if err != nil {
					t.Fatal(err)
				}
				return d
			}, scene, nil)
		})
	}
}

// TestRealNetworks runs the suite on the networks that setup fetches, over a picture of what they know.
func TestRealNetworks(t *testing.T) {
	face := manifest("blazeface-short", 128, 128)
	face.Input.Mean, face.Input.Std, face.Input.Fit = []float32{127.5}, []float32{127.5}, "letterbox"
	full := face
	full.Head, full.Input.Width, full.Input.Height = "blazeface-full", 192, 192
	ssd := manifest("ssd", 300, 300)
	ssd.Input.Mean, ssd.Input.Std, ssd.Background, ssd.Threshold = face.Input.Mean, face.Input.Std, true, 0.3
	for _, c := range []struct {
		file, labels, picture string
		m                     bundle.Manifest
	}{{"models/face-short.tflite", "", "models/images/face.jpg", face},
		{"models/face-full.tflite", "", "models/images/face.jpg", full},
		{"models/ssd-oidv4.tflite", "models/ssd-oidv4.labels.txt", "models/images/pets.jpg", ssd}} {
		t.Run(c.m.Head, func(t *testing.T) {
			picture := open(t, c.picture)
			path := shared.Native(t, c.file)
			b := &bundle.Bundle{Manifest: c.m}
			if c.labels != "" {
				text, err := os.ReadFile(shared.Native(t, c.labels))
				if err != nil {
					t.Fatal(err)
				}
				if b.Labels, err = bundle.ParseLabels(text); err != nil {
					t.Fatal(err)
				}
			}
			pool, err := model.NewPool(tflite.Opener(path, tflite.DefaultOptions()), 1)
			if errors.Is(err, tflite.ErrNotBuilt) {
				t.Skip("this build has no TensorFlow Lite")
			} else if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			detecttest.Run(t, func(t testing.TB) detect.Detector {
				// The suite shows two detectors the same scene in turn; they share the pool, as cameras do.
				d, err := detect.New(options(detect.KindAuto), b, pool)
				if err != nil {
					t.Fatal(err)
				}
				return d
			}, detecttest.Frames{picture, picture, picture}, nil)
		})
	}
}

func open(t *testing.T, rel string) capture.Image {
	f, err := os.Open(shared.Path(t, rel))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	im, err := jpeg.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return capture.FromGo(im)
}
