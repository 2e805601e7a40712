// Command 2-import proves that .tflite backbones become trainable networks that compute what the files compute: every layer is
// compared with the TFLite runtime on photographs. Layers of float files agree to 1e-4 of their greatest number, with all
// layers before them; layers of int8 and uint8 files, given the runtime's own inputs, to one step of their grid; and the
// classifiers among them name the same thing on 15 known pictures, both as float networks and rounded as the file rounds.
package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"

	"gleaner/internal/shared"
	"gleaner/model/flat"
	"gleaner/train/engine/ref"
	"gleaner/train/net"
)

const bar = "float layers within 1e-4, quantised layers within 1 step each and 3 in a row, the same top-1 on 14 of 15 pictures per file"

func main() {
	figure, ok, err := run()
	word := "PASS"
	if err != nil {
		figure, ok = err.Error(), false
	}
	if !ok {
		word = "FAIL"
	}
	fmt.Printf("FIGURE %s BAR %s %s\n", figure, bar, word)
	if !ok {
		os.Exit(1)
	}
}

// files are the backbones, with the photographs that their layers are compared on.
var files = []struct {
	path       string // below the test material, or in .native
	quantised  bool
	classifier bool // the file names one of 1,001 things
}{
	{".native/models/ssd-oidv4.tflite", false, false},
	{"models/models/mobilenet_v2_035_96_embedder_with_metadata.tflite", false, false},
	{"models/models/tf2_mobilenet_v2_1.0_224_ptq.tflite", true, true},
	{"models/models/mobilenet_v2_1.0_224_quant.tflite", true, true},
	{"models/models/mobilenet_v1_0.25_128_quant.tflite", true, true},
	{"models/models/mobilenet_v1_1.0_224_quant_embedding_extractor.tflite", true, false},
	{"models/models/coco_ssd_mobilenet_v1_quant.tflite", true, false},
}

// total is what all files together showed.
type total struct {
	layers       int
	float, steps float64 // the worst differences
	row          float64 // steps that quantised layers in a row are off by: rms, the mean over a file's layers, in the worst file
	float1       int     // top-1 answers that agree, of the float networks
	rounded1     int     // and of the quantised builds
	answers      int
	least        int // of 15, the file that agrees least
}

func run() (figure string, ok bool, err error) {
	root := shared.Root()
	pictures, err := photographs(root)
	if err != nil {
		return "", false, err
	}
	all := total{least: len(pictures)}
	for _, f := range files {
		path := f.path
		if path[0] != '.' {
			path = filepath.Join(root, path)
		}
		m, err := flat.ReadFile(path)
		if err != nil {
			return "", false, err
		}
		fmt.Println(filepath.Base(path))
		if f.quantised {
			err = all.compareSteps(m, pictures[:2])
		} else {
			err = all.compareFloats(m, pictures[:3])
		}
		if err == nil && f.classifier {
			err = all.compareAnswers(m, pictures)
		}
		if err != nil {
			return "", false, fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
	}
	figure = fmt.Sprintf("%d files, %d layers; float off by %.1e at most, "+
		"quantised by %.2f steps each and %.2f in a row; "+
		"top-1 as floats %d of %d, rounded %d, least in one file %d of %d",
		len(files), all.layers, all.float, all.steps, all.row, all.float1, all.answers, all.rounded1, all.least, len(pictures))
	return figure, all.float <= 1e-4 && all.steps <= 1.001 && all.row <= 3 && all.least >= 14, nil
}

// trunk imports what is before a classifier, under a head that does not matter.
func trunk(m *flat.Model) (*net.Net, net.Weights, []int, error) {
	n, w, err := net.Import(m, net.ImportOptions{Heads: []net.Head{{Name: "class", Classes: 2}}})
	if err != nil {
		return nil, nil, nil, err
	}
	var ids []int
	for _, o := range n.Origins() {
		ids = append(ids, o.Tensor)
	}
	return n, w, ids, nil
}

// compareFloats runs a float file and its network, and compares each layer.
func (a *total) compareFloats(m *flat.Model, pictures []photograph) error {
	m = plain(m)
	n, w, ids, err := trunk(m)
	if err != nil {
		return err
	}
	rt, err := open(m, ids)
	if err != nil {
		return err
	}
	defer rt.close()
	worst, where := 0.0, ""
	for _, p := range pictures {
		x, want, err := rt.run(p)
		if err != nil {
			return err
		}
		got, err := trace(n, w, x, net.EvalOptions{})
		if err != nil {
			return err
		}
		for i, o := range n.Origins() {
			if y, ok := got[o.Layer]; ok { // a reshape is no step
				if d := farthest(y, want[i]) / farthest(want[i], nil); d > worst {
					worst, where = d, o.Layer
				}
			}
		}
	}
	fmt.Printf("  %d layers on %d pictures, off by %.1e of the greatest number at most (%s)\n", len(ids), len(pictures), worst, where)
	a.layers += len(ids)
	a.float = max(a.float, worst)
	return nil
}

// compareSteps gives each layer of a quantised file the runtime's own inputs and compares what it makes.
func (a *total) compareSteps(m *flat.Model, pictures []photograph) error {
	n, w, ids, err := trunk(m)
	if err != nil {
		return err
	}
	rt, err := open(m, ids)
	if err != nil {
		return err
	}
	defer rt.close()
	b := ref.New[float32]()
	defer b.Close()
	if err := n.Load(b, w); err != nil {
		return err
	}
	worst, where := 0.0, ""
	for _, p := range pictures {
		x, want, err := rt.run(p)
		if err != nil {
			return err
		}
		values := map[int][]float32{m.Graphs[0].Inputs[0]: x}
		for i, o := range n.Origins() {
			values[o.Tensor] = want[i]
		}
		for i, o := range n.Origins() {
			if o.Range[0] == o.Range[1] {
				continue
			}
			y, err := alone(b, n, o, m, values)
			if err != nil {
				return err
			}
			if d := farthest(y, want[i]) / (float64(o.Range[1]-o.Range[0]) / 255); d > worst {
				worst, where = d, o.Layer
			}
		}
	}
	fmt.Printf("  %d layers on %d pictures, each off by %.2f steps at most (%s)\n", len(ids), len(pictures), worst, where)
	a.layers += len(ids)
	a.steps = max(a.steps, worst)
	row, err := drift(rt, n, w, pictures)
	a.row = max(a.row, row)
	return err
}

// drift finds how far errors that add up go, from the first layer to the last: the mean in steps of the quantised build.
func drift(rt *runtime, n *net.Net, w net.Weights, pictures []photograph) (float64, error) {
	rounded, float, layers := 0.0, 0.0, 0
	last := [2]float64{}
	for _, p := range pictures {
		x, want, err := rt.run(p)
		if err != nil {
			return 0, err
		}
		r, err := trace(n, w, x, net.EvalOptions{Quantise: 8, FileWeights: true})
		if err != nil {
			return 0, err
		}
		f, err := trace(n, w, x, net.EvalOptions{})
		if err != nil {
			return 0, err
		}
		for i, o := range n.Origins() {
			if r[o.Layer] == nil || o.Range[0] == o.Range[1] {
				continue
			}
			last = [2]float64{rms(r[o.Layer], want[i]) / float64(o.Range[1]-o.Range[0]) * 255, rms(f[o.Layer], want[i]) / rms(want[i], nil)}
			rounded, float, layers = rounded+last[0], float+last[1], layers+1
		}
	}
	fmt.Printf("  all layers in a row, rounded as the file rounds: off by %.2f steps (rms) on average, %.2f at the end; as floats: by %.3f and %.3f of the spread\n",
		rounded/float64(layers), last[0], float/float64(layers), last[1])
	return rounded / float64(layers), nil
}

// compareAnswers counts the pictures on which the file and its network agree.
func (a *total) compareAnswers(m *flat.Model, pictures []photograph) error {
	n, w, err := net.Import(m, net.ImportOptions{})
	if err != nil {
		return err
	}
	rt, err := open(m, m.Graphs[0].Outputs)
	if err != nil {
		return err
	}
	defer rt.close()
	float, rounded := 0, 0
	for _, p := range pictures {
		x, want, err := rt.run(p)
		if err != nil {
			return err
		}
		f, err := answer(n, w, x, net.EvalOptions{Logits: true})
		if err != nil {
			return err
		}
		r, err := answer(n, w, x, net.EvalOptions{Logits: true, Quantise: 8, FileWeights: true})
		if err != nil {
			return err
		}
		// The file's answers are in steps too: what shares the first place with its choice is no other answer.
		top := want[0][greatest(want[0])]
		if want[0][greatest(f)] == top {
			float++
		} else {
			fmt.Printf("  %s: class %d in the file, %d as floats\n", p.name, greatest(want[0]), greatest(f))
		}
		if want[0][greatest(r)] == top {
			rounded++
		} else {
			fmt.Printf("  %s: class %d in the file, %d rounded\n", p.name, greatest(want[0]), greatest(r))
		}
	}
	fmt.Printf("  the same top-1 on %d of %d pictures as floats, on %d rounded\n", float, len(pictures), rounded)
	a.float1, a.rounded1, a.answers = a.float1+float, a.rounded1+rounded, a.answers+len(pictures)
	a.least = min(a.least, float, rounded)
	return nil
}

// farthest is the greatest difference; that from 0 where b is nil.
func farthest(a, b []float32) (d float64) {
	for i, v := range a {
		if b != nil {
			v -= b[i]
		}
		d = max(d, math.Abs(float64(v)))
	}
	return d
}

// rms is the root of the mean squared difference; that from 0 where b is nil.
func rms(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		if b != nil {
			v -= b[i]
		}
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(len(a)))
}

func greatest(v []float32) (best int) {
	for i := range v {
		if v[i] > v[best] {
			best = i
		}
	}
	return best
}
