package judge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"gleaner/classify/prep"
	"gleaner/model/bundle"
	"gleaner/model/flat"
	"gleaner/model/tflite"
	"gleaner/train/dataset"
	"gleaner/train/dataset/pack"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// byColour is a bundle that answers 0.8 for the label of a picture's colour, red, green or blue, and 0.1 for the other two.
// labels are in the order of those colours.
func byColour(t *testing.T, labels ...string) *Model {
	t.Helper()
	if tflite.Version() == "none" {
		t.Skip("this build has no TensorFlow Lite")
	}
	net := flat.New("the colour of one pixel")
	in := net.AddTensor("picture", flat.Float32, 1, 1, 1, 3)
	net.Graphs[0].Inputs, net.Graphs[0].Outputs = []int{in}, []int{in}
	k := float32(math.Log(8)) // e^k / (e^k + 1 + 1) = 0.8
	if err := net.Head([][]float32{{k, 0, 0}, {0, k, 0}, {0, 0, k}}[:len(labels)], make([]float32, len(labels))); err != nil {
		t.Fatal(err)
	}
	return bundled(t, net, bundle.Manifest{Name: "colours", Version: "1", Task: bundle.TaskOf("probs"), Head: "probs", Input: bundle.Input{Prep: prep.Linear,
		Width: 1, Height: 1, Colour: "rgb", Mean: []float32{0}, Std: []float32{255}, Fit: "stretch"}}, labels)
}

// bundled is a network as a bundle.
func bundled(t *testing.T, net *flat.Model, m bundle.Manifest, labels []string) *Model {
	t.Helper()
	file, err := net.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "bundle")
	if _, err := bundle.Write(dir, m, map[string][]byte{bundle.ModelFile: file, bundle.LabelsFile: bundle.FormatLabels(labels)}); err != nil {
		t.Fatal(err)
	}
	model, err := OpenModel(dir, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := model.Close(); err != nil {
			t.Error(err)
		}
	})
	return model
}

// folder is pictures in a folder per class. of is the colours of each class's pictures, r, g or b; x is a file that is no picture.
func folder(t *testing.T, of map[string]string) *dataset.Stored {
	t.Helper()
	dir := t.TempDir()
	for class, colours := range of {
		if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
			t.Fatal(err)
		}
		for i, c := range colours {
			var b bytes.Buffer
			im := image.NewRGBA(image.Rect(0, 0, 3, 2))
			for p := range 6 {
				im.Set(p%3, p/3, map[rune]color.RGBA{'r': {R: 255, A: 255}, 'g': {G: 255, A: 255}, 'b': {B: 255, A: 255}}[c])
			}
			if err := png.Encode(&b, im); err != nil {
				t.Fatal(err)
			}
			if c == 'x' {
				b.Truncate(b.Len() / 2)
			}
			if err := os.WriteFile(filepath.Join(dir, class, string(rune('a'+i))+".png"), b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return opened(t, dir)
}

func opened(t *testing.T, path string) *dataset.Stored {
	t.Helper()
	s, err := dataset.OpenStored(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// near fails when got is not want.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-5) {
		t.Errorf("%s is %g, want %g", what, got, want)
	}
}

// TestJudge has figures that are worked out by hand: 8 cats of which 6 are seen, 4 dogs of which 3 are, each at 0.8, and no hen.
func TestJudge(t *testing.T) {
	data := folder(t, map[string]string{"cat": "rrrrrrgg", "dog": "gggr"})
	r, err := Judge(t.Context(), data, byColour(t, "cat", "dog", "hen"), byColour(t, "dog", "cat", "hen"), DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	near(t, "accuracy", r.Accuracy.Value, 9.0/12)
	near(t, "its lower end", r.Accuracy.Low, 0.467696) // Wilson: (9 + 1.9208 - 1.96·√(9·3/12 + 0.9604)) / (12 + 3.8415)
	near(t, "chance", r.Chance, 8.0/12)
	near(t, "precision of cat", r.Classes[0].Precision.Value, 6.0/7)
	near(t, "recall of dog", r.Classes[1].Recall.Value, 3.0/4)
	near(t, "F1 of dog", r.Classes[1].F1.Value, 6.0/9)
	near(t, "macro precision", r.Averages.MacroPrecision.Value, (6.0/7+3.0/5)/2)
	near(t, "log loss", r.Calibration.NLL, -(9*math.Log(0.8)+3*math.Log(0.1))/12)
	near(t, "calibration error", r.Calibration.ECE, 0.05)
	if !slices.EqualFunc(r.Confusion, [][]int{{6, 2, 0}, {1, 3, 0}, {0, 0, 0}}, slices.Equal) || r.Commonest != "cat" || !r.NearChance {
		t.Errorf("confusion %v, commonest %s, near chance %v", r.Confusion, r.Commonest, r.NearChance)
	}
	if len(r.Worst) != 3 || r.Worst[0].Truth == r.Worst[0].Answer {
		t.Fatalf("errors %+v", r.Worst)
	}
	near(t, "an error's probability", r.Worst[0].P, 0.8)
	near(t, "that of its truth", r.Worst[0].PTruth, 0.1)
	if o := r.Old; o.Paired.NewOnly != 9 || o.Paired.OldOnly != 3 || !strings.HasPrefix(o.Verdict, "cannot tell: 9 pictures") {
		t.Errorf("beside the old one: %+v", o)
	}
	near(t, "p", r.Old.Paired.P, 2*(1+12+66+220)/4096.0) // 2·P(X ≤ 3), X ~ B(12, ½)
	for _, want := range []string{"WARNING", "knows hen, of which there are no pictures", "12 pictures are few", "too few to deal", "purity of 98 %: it takes 25 right"} {
		if !strings.Contains(strings.Join(r.Notes, "\n"), want) {
			t.Errorf("no note says %q: %q", want, r.Notes)
		}
	}
	if r.Temperature != nil || r.Purity[0].HeldOut != nil {
		t.Errorf("12 pictures are dealt into parts")
	}
	var b bytes.Buffer
	if err := r.WriteText(&b); err != nil || !strings.Contains(b.String(), "accuracy  75.0 % (46.8 to 91.1)") {
		t.Errorf("%v: %s", err, &b)
	}
	text, err := json.Marshal(r)
	if err != nil || !bytes.Contains(text, []byte(`"label":"hen","pictures":0,"answered":0,"right":0,"precision":{"value":null,`)) {
		t.Errorf("%v: %s", err, text)
	}
	for _, key := range []string{"chance", "accuracy", "averages", "confusion", "calibration", "ece", "nll", "coverage", "worst", "old", "left_out"} {
		if !bytes.Contains(text, []byte(`"`+key+`":`)) {
			t.Errorf("the JSON has no %s", key)
		}
	}
}

// hostile would do something wherever it is not escaped.
const hostile = `<img src=x onerror="document.title='broken out'">'"</script><script>document.title='broken out'</script>`

// sources is a data set file of 120 pictures in two classes: on the left camera all are as the colour bundle has them, on the
// right every fourth is not.
func sources(t *testing.T, a, b string) *dataset.Stored {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.set")
	f := pack.Format{Width: 200, Height: 100, Fit: "stretch"}
	w, err := pack.Create(path, f)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 120 {
		camera, class := []string{"left", "right <b>"}[i/60], i%2
		shown := class
		if i >= 60 && i%4 == 0 {
			shown = 1 - class
		}
		pix := make([]byte, f.Bytes())
		for p := 2 - shown; p < len(pix); p += 3 { // BGR
			pix[p] = 255
		}
		e := pack.Example{Class: []string{a, b}[class], Box: [4]float64{0, 0, 200, 100}, Attributes: map[string]string{"camera": camera}, Group: string(rune('a' + i/20))}
		src := pack.Source{Path: string(rune('0'+i)) + hostile + ".jpg", Width: 200, Height: 100}
		src.SHA256[0] = byte(i)
		if err := w.Add(src, []pack.Crop{{Example: e, Pixels: pix}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return opened(t, path)
}

func TestSourcesAndParts(t *testing.T) {
	o := DefaultOptions()
	o.Purity, o.Worst = []float64{0.9, 0.98}, 5
	data := sources(t, "can", "glass")
	r, err := Judge(t.Context(), data, byColour(t, "can", "glass"), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "accuracy", r.Accuracy.Value, 105.0/120)
	if len(r.Worst) != 5 || r.Old != nil {
		t.Errorf("%d errors, old %v", len(r.Worst), r.Old)
	}
	if len(r.Groups) != 8 || r.Groups[0].By != "camera" || r.Groups[0].Name != "right <b>" || r.Groups[0].Pictures != 60 || r.Groups[2].By != "group" {
		t.Fatalf("groups %+v", r.Groups)
	}
	near(t, "right camera", r.Groups[0].Accuracy.Value, 0.75)
	near(t, "left camera", r.Groups[1].Accuracy.Value, 1)
	// All answers have one probability, so that a threshold takes all of a class or none. Of 75 answers "glass" 60 are right, too
	// few for 90 % in any four fifths of them; of 45 "can" all are.
	near(t, "held-out purity", r.Purity[0].HeldOut.Value, 1)
	near(t, "held-out rejected", r.Purity[0].RejectedOut.Value, 75.0/120)
	if s := strings.Join(r.Notes, "\n"); !strings.Contains(s, "come in 6 groups") || !strings.Contains(s, "too few groups") {
		t.Errorf("notes %q", r.Notes)
	}
	// 7 of 8 are right: the log loss is least where 8/9, of two classes, has become 7/8: e^(ln 8 / T) = 7.
	near(t, "temperature", math.Round(1000*r.Temperature.All), math.Round(1000*math.Log(8)/math.Log(7)))
	if best := -(7*math.Log(7.0/8) + math.Log(1.0/8)) / 8; r.Temperature.Scaled.NLL < best || r.Temperature.Scaled.NLL > best+0.05 {
		t.Errorf("the log loss is %g at the other half's temperature, and %g at the best", r.Temperature.Scaled.NLL, best)
	}
}

// files are the pictures of n examples, each of several.
func files(n, each int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(i / each)
	}
	return names
}

func TestDeal(t *testing.T) {
	truth := slices.Concat(slices.Repeat([]int{0}, 50), slices.Repeat([]int{1}, 7))
	single, grouped := unitsOf(make([]string, len(truth)), files(len(truth), 1))
	if grouped || len(single) != len(truth) {
		t.Fatalf("%d units, grouped %v", len(single), grouped)
	}
	seen := map[int]bool{}
	for _, part := range deal(single, truth, 5) {
		rare := 0
		for _, i := range part {
			seen[i] = true
			rare += truth[i]
		}
		if len(part) < 11 || len(part) > 12 || rare < 1 || rare > 2 {
			t.Errorf("a part of %d, %d of them rare", len(part), rare)
		}
	}
	if len(seen) != len(truth) {
		t.Errorf("%d of %d are dealt", len(seen), len(truth))
	}

	group := make([]string, len(truth)) // 10 groups of 5, and 7 pictures in none
	for i := range 50 {
		group[i] = string(rune('a' + i/5))
	}
	units, grouped := unitsOf(group, files(len(group), 1))
	if !grouped || len(units) != 17 {
		t.Fatalf("%d units, grouped %v", len(units), grouped)
	}
	where := map[string]int{}
	for p, part := range deal(units, truth, 2) {
		if len(part) < 28 || len(part) > 29 {
			t.Errorf("a half of %d", len(part))
		}
		for _, i := range part {
			if q, ok := where[group[i]]; ok && q != p && group[i] != "" {
				t.Errorf("group %s is torn apart", group[i])
			}
			where[group[i]] = p
		}
	}
	if units, grouped := unitsOf(slices.Repeat([]string{"a", "b"}, 30), files(60, 1)); grouped || len(units) != 60 {
		t.Errorf("two groups: %d units, grouped %v", len(units), grouped)
	}
	if units, grouped := unitsOf(make([]string, 60), files(60, 3)); grouped || len(units) != 20 || !slices.Equal(units[1], []int{3, 4, 5}) {
		t.Errorf("crops of 20 pictures: %d units, grouped %v", len(units), grouped)
	}
	if units, grouped := unitsOf(make([]string, 60), files(60, 30)); grouped || len(units) != 60 {
		t.Errorf("crops of two pictures: %d units, grouped %v", len(units), grouped)
	}
	// A group that has one crop of a picture has the others as well.
	group = make([]string, 60)
	group[2], group[3] = "a", "a"
	if units, grouped := unitsOf(group, files(60, 3)); !grouped || len(units) != 19 || len(units[0]) != 6 {
		t.Errorf("a group over two pictures: %d units, grouped %v", len(units), grouped)
	}
}

func TestOneClass(t *testing.T) {
	data := folder(t, map[string]string{"dog": "gggr"})
	r, err := Judge(t.Context(), data, byColour(t, "cat", "dog"), nil, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(r.Notes[0], "All pictures are of the class dog") || strings.Contains(strings.Join(r.Notes, ""), "WARNING") {
		t.Errorf("notes %q", r.Notes)
	}
	if err := errors.Join(r.WriteText(&bytes.Buffer{}), r.WriteHTML(&bytes.Buffer{}, data, nil)); err != nil {
		t.Error(err)
	}
}

func TestBrokenPictures(t *testing.T) {
	data := folder(t, map[string]string{"cat": "rrx", "dog": "gg"})
	r, err := Judge(t.Context(), data, byColour(t, "cat", "dog"), nil, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if r.Pictures != 4 || len(r.LeftOut) != 1 || filepath.Base(r.LeftOut[0].Path) != "c.png" || !strings.Contains(r.LeftOut[0].Reason, "unexpected EOF") {
		t.Errorf("%d pictures, left out %+v", r.Pictures, r.LeftOut)
	}
	var b bytes.Buffer
	if err := r.WriteHTML(&b, data, nil); err != nil || !strings.Contains(b.String(), "Left out") || strings.Contains(b.String(), "worst errors") {
		t.Errorf("%v: %s", err, &b)
	}
}

func TestJudgeRefuses(t *testing.T) {
	for _, c := range []struct {
		name, want string
		of         map[string]string
		labels     []string
		purity     float64
	}{
		{"a class that the bundle lacks", "it does not know cow, of which there are pictures", map[string]string{"cat": "r", "cow": "g"}, []string{"cat", "dog"}, 0.9},
		{"no class in common", "it knows none of the classes of the pictures (cow, pig), but cat, dog", map[string]string{"pig": "r", "cow": "g"}, []string{"cat", "dog"}, 0.9},
		{"one label", "it has the one class cat", map[string]string{"cat": "r"}, []string{"cat"}, 0.9},
		{"nothing to read", "none of 2 pictures can be read, such as ", map[string]string{"cat": "x", "dog": "x"}, []string{"cat", "dog"}, 0.9},
		{"purity", "a purity of 1: from 0.5 to below 1", map[string]string{"cat": "r", "dog": "g"}, []string{"cat", "dog"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := DefaultOptions()
			o.Purity = []float64{c.purity}
			_, err := Judge(t.Context(), folder(t, c.of), byColour(t, c.labels...), nil, o)
			var unfit *UnfitError
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || errors.As(err, &unfit) != (c.purity < 1) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestMix weighs errors by how often their class comes: with half as many cans as glasses among the pictures, what is sure enough
// for one mix is not for another.
func TestMix(t *testing.T) {
	data := sources(t, "can", "glass")
	m := byColour(t, "can", "glass")
	o := DefaultOptions()
	o.Purity = []float64{0.9}
	for _, c := range []struct {
		mix      []Part
		rejected float64 // held out
	}{
		{nil, 75.0 / 120},
		{[]Part{{"can", 0.5}, {"glass", 0.5}}, 75.0 / 120}, // as the pictures are
		{[]Part{{"can", 0.2}, {"glass", 0.8}}, 0.05},       // of "glass" 0.8 are right and 0.05 not, of "can" all: a quarter of 0.2
	} {
		o.Mix = c.mix
		r, err := Judge(t.Context(), data, m, nil, o)
		if err != nil {
			t.Fatal(err)
		}
		if c.rejected > 0.5 {
			near(t, "rejected", r.Purity[0].RejectedOut.Value, c.rejected)
		} else if got := r.Purity[0].RejectedOut.Value; got > c.rejected {
			t.Errorf("at %v %g are rejected", c.mix, got)
		}
		var b bytes.Buffer
		if err := r.WriteText(&b); err != nil || strings.Contains(b.String(), "stated, can 20 %, glass 80 %:") != (len(c.mix) > 0 && c.mix[0].Share == 0.2) {
			t.Errorf("%v: %s", err, &b)
		}
	}
	for want, mix := range map[string][]Part{
		"add up to 0.9, not to 1":       {{"can", 0.5}, {"glass", 0.4}},
		"a share of -1 for can":         {{"can", -1}, {"glass", 2}},
		"can is in it twice":            {{"can", 0.5}, {"can", 0.5}},
		"the bundle does not know bowl": {{"can", 0.5}, {"bowl", 0.5}},
	} {
		o.Mix = mix
		if _, err := Judge(t.Context(), data, m, nil, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestMisfitIsANote: pictures that were made to fit otherwise than the daemon makes its own are no measure of it, and the report says so.
func TestMisfitIsANote(t *testing.T) {
	m := byColour(t, "can", "glass")
	for fit, want := range map[string]string{"stretch": "", "letterbox": "a.set were made to fit by stretch"} {
		m.fit = fit
		r, err := Judge(t.Context(), sources(t, "can", "glass"), m, nil, DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		if said := strings.Contains(strings.Join(r.Notes, " "), "made to fit"); said != (want != "") || !strings.Contains(r.Notes[0], want) {
			t.Errorf("%s: notes %q", fit, r.Notes)
		}
	}
}
