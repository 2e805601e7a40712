// Package recipe is what decides a training run: the options, each a key=value, and what they mean: which pictures, which
// network, which first weights. How a network is then trained is in train.
package recipe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// Options are everything that decides a run. Each is set as key=value by the name in its json tag; doc is what a person reads
// about it.
type Options struct {
	Recipe string `json:"recipe" doc:"keys that go together, which keys that are given as well override: clothing, masks, recycling, watches or weather, or a file with a key=value per line"`

	Data string `json:"data" doc:"training pictures: a data set file of gleaner data import, a folder with a sub-folder per class, a list file, an idx file, or a folder of idx files"`
	Val  string `json:"val" doc:"validation: a share of data, 0 to 0.9, of which near copies, groups and crops of one picture stay on one side, or pictures of their own, named as data is"`
	Test string `json:"test" doc:"pictures that measure the best weights, once, at the end; those of a folder of idx files come by themselves; none: no test"`
	Fold string `json:"fold" doc:"for cross-validation: 2/5 measures on the second of five parts and trains on the others; near copies and groups stay in one part"`
	Out  string `json:"out" doc:"the run's folder: options, log, checkpoint, best weights, bundle"`
	Name string `json:"name" doc:"name of the bundle; empty: that of the run's folder"`

	Rule []string `json:"rule" doc:"attribute:label:class, such as dirtiness:dirty:general: a head of its own learns the attribute (one that gleaner data import kept), and where it answers that label the bundle's answer is that class, a further one or one of the pictures'; several with commas between them, the first that matches counts"`

	Size   int       `json:"size" doc:"side of the network's input in pixels; 0: that of a data set or an idx file, or the network's own"`
	Colour string    `json:"colour" doc:"rgb, bgr or gray; empty: gray for idx files, else rgb"`
	Fit    string    `json:"fit" doc:"how a picture of another shape comes in: letterbox, stretch or crop"`
	Mean   []float64 `json:"mean" doc:"what is subtracted from a channel's value of 0 to 255: one number, or one per channel"`
	Std    []float64 `json:"std" doc:"what it is then divided by"`
	Cache  int       `json:"cache" doc:"MB of sized pictures that are kept in memory; the others are decoded each time"`

	Augment    string  `json:"augment" doc:"a named set of changes to training pictures, which keys that are given as well override: none, belt (flip=true rotate=180 shift=2 zoom=0.1 brightness=0.1 contrast=0.2 saturation=0.2 blur=4 noise=0.02 ground=random) or kiosk (flip=true rotate=10 shift=2 zoom=0.15 shear=0.1 brightness=0.2 contrast=0.2 hue=5 saturation=0.2 blur=2 direction=any noise=0.02)"`
	Flip       bool    `json:"flip" doc:"mirror training pictures, one time in two"`
	Shift      int     `json:"shift" doc:"move training pictures by up to so many pixels each way"`
	Rotate     float64 `json:"rotate" doc:"turn training pictures by up to so many degrees each way, 0 to 180"`
	Zoom       float64 `json:"zoom" doc:"make training pictures larger or smaller by up to this share, 0 to 0.9"`
	Shear      float64 `json:"shear" doc:"let the rows of training pictures slide sideways by up to so many pixels per row, 0 to 1"`
	Cutout     int     `json:"cutout" doc:"side in pixels of a square that is blanked in training pictures"`
	Erase      float64 `json:"erase" doc:"share of the training pictures that cutout blanks a square in, 0 to 1; 0: all"`
	Brightness float64 `json:"brightness" doc:"change of training pictures' brightness, 0 to 1 of the range"`
	Contrast   float64 `json:"contrast" doc:"change of training pictures' contrast, 0 to 1"`
	Hue        float64 `json:"hue" doc:"turn the hue of training pictures by up to so many degrees each way, 0 to 180; gray stays"`
	Saturation float64 `json:"saturation" doc:"change of training pictures' saturation, 0 to 1; gray stays"`
	Blur       float64 `json:"blur" doc:"motion blur of training pictures, of a length up to so many pixels, 0 to 64"`
	Direction  string  `json:"direction" doc:"of blur: horizontal, as on a belt, or any"`
	Noise      float64 `json:"noise" doc:"greatest standard deviation of a sensor's noise in training pictures, 0 to 1 of the range"`
	Ground     string  `json:"ground" doc:"what lies beyond the edge of training pictures that are turned, shrunk or moved: black, random (a colour drawn for each, as a belt has), or a picture file: a photo of the empty belt, of which each gets a piece"`

	Mixup   float64 `json:"mixup" doc:"mix pairs of training pictures and their labels at shares drawn from Beta(a, a) (mix-up): the a, such as 0.2, up to 100; 0: not"`
	Balance string  `json:"balance" doc:"of classes with few and with many training pictures: none, weights (in the loss, so that each class weighs the same), over (each class as often as the largest in an epoch) or under (as often as the smallest)"`

	Net     string   `json:"net" doc:"the network: a preset's name, or a .tflite file, whose layers go on learning under a new head"`
	Cut     string   `json:"cut" doc:"of a .tflite file: the tensor behind which the new head comes, or several with commas between them, which are averaged and joined; empty: the features before its own classifier"`
	Norms   bool     `json:"norms" doc:"of a .tflite file: fresh batch normalisation behind each convolution"`
	Start   string   `json:"start" doc:"weights to begin with, in place of random ones: the best.safetensors of another run with the same network"`
	Width   float64  `json:"width" doc:"multiplies the channels, where the network has it"`
	Depth   int      `json:"depth" doc:"blocks per stage, where the network has it; 0: its own"`
	Units   int      `json:"units" doc:"units of the hidden layer, where the network has one; 0: its own"`
	Squares int      `json:"squares" doc:"of a .tflite file's new head: so many squares per class, such as 32, by which it also sees which features come together; probe= fits them, and with some thousands of pictures they tell more apart than a plain head does; 0: a plain head"`
	Drop    float64  `json:"drop" doc:"dropout rate before the head; 0: the network's own, negative: none"`
	Freeze  []string `json:"freeze" doc:"layers that do not learn, by the start of their names"`

	Probe     float64  `json:"probe" doc:"first fit the heads on the features of the network as it begins (a linear probe: logistic regression with this much L2, such as 0.01, or with squares= ridge regression; the features are kept in the user's cache); 0: not"`
	Views     int      `json:"views" doc:"of probe: changed looks at each training picture, as training would see it, besides the picture as it is; 0: none, or its mirror image with flip=true"`
	Epochs    int      `json:"epochs" doc:"passes over the training pictures; 0: what probe fits is all that is learnt"`
	Batch     int      `json:"batch" doc:"pictures per step"`
	Seed      uint64   `json:"seed" doc:"of all that is random: the same seed gives the same run"`
	Optimiser string   `json:"optimiser" doc:"sgd, adam or adamw"`
	LR        float64  `json:"lr" doc:"learning rate at its highest; 0: 0.05 for sgd, 0.001 for adam and adamw"`
	Momentum  float64  `json:"momentum" doc:"of sgd, 0 to 1"`
	Nesterov  bool     `json:"nesterov" doc:"Nesterov's momentum, for sgd"`
	Beta1     float64  `json:"beta1" doc:"of adam and adamw"`
	Beta2     float64  `json:"beta2" doc:"of adam and adamw"`
	Decay     float64  `json:"decay" doc:"weight decay; biases and normalisations are left out unless decayall"`
	DecayAll  bool     `json:"decayall" doc:"biases and normalisations decay as well"`
	ToStart   float64  `json:"tostart" doc:"pull of the weights towards where they began (L2-SP)"`
	Clip      float64  `json:"clip" doc:"greatest joint norm of the gradients; 0: not clipped"`
	Average   float64  `json:"average" doc:"decay of a moving average of the weights, which is what is then validated and exported, such as 0.999; 0: none"`
	Rates     []string `json:"rates" doc:"share of the learning rate for layers by the start of their names, such as conv1:0.1,head:10; the longest start counts"`
	Settle    bool     `json:"settle" doc:"before weights are validated or exported, measure the statistics of batch normalisations anew on training pictures as they are (precise batch norm): with strong changes, mixup or average, the running ones are off"`
	Smoothing float64  `json:"smoothing" doc:"share of a label that is spread over all classes, 0 to 1"`
	Gamma     float64  `json:"gamma" doc:"of the focal loss; 0: plain cross-entropy"`
	Quantise  int      `json:"quantise" doc:"train through so many bits, as an exported int8 network computes: 8; it needs start=; 0: not"`

	Schedule   string  `json:"schedule" doc:"of the learning rate: constant, step, cosine, onecycle or plateau"`
	Warmup     float64 `json:"warmup" doc:"epochs in which the learning rate rises from 0"`
	Every      float64 `json:"every" doc:"of step: epochs after which the rate is lowered"`
	Factor     float64 `json:"factor" doc:"of step and plateau: what the rate is multiplied by"`
	Final      float64 `json:"final" doc:"of cosine: share of the rate at the end, 0 to 1"`
	Wait       int     `json:"wait" doc:"of plateau: epochs without a lower validation loss before the rate is lowered"`
	Keep       string  `json:"keep" doc:"which weights are the best: accuracy or loss (on validation data), or last"`
	Ensemble   int     `json:"ensemble" doc:"keep so many checkpoints, 2 to 8, the best on validation pictures, with probe= that of the probe as one of them, and export the mean of those that answer best together as one bundle (soft voting: more work for each picture); 0: the best alone"`
	WithMirror bool    `json:"withmirror" doc:"the bundle answers with the mean of what the network says of a picture and of its mirror image, where flip=true shows it both (twice the work for each picture)"`
	WithProbe  bool    `json:"withprobe" doc:"the bundle answers with the mean of the network and of what probe= began with, which err on other pictures (two networks in one file: twice the work for each picture)"`
	Patience   int     `json:"patience" doc:"epochs without better weights after which the run ends early; 0: it does not"`

	Overfit string `json:"overfit" doc:"first see whether the network can learn one batch: auto (before long runs), on or off"`
	Scan    string `json:"scan" doc:"first see which learning rates work: auto (before long runs), on or off"`
	Save    int    `json:"save" doc:"steps between checkpoints, besides the one after each epoch; 0: only that"`

	Unknown float64 `json:"unknown" doc:"a score in the bundle's file, with a threshold, that tells objects of no class from the others: share of the validation pictures that it may take for such, such as 0.05, up to 0.5; 0: no such score"`

	Report bool   `json:"report" doc:"write report.html and what goes with it into the bundle"`
	Golden int    `json:"golden" doc:"so many held-out pictures go into the bundle with its answers to them, 0 to 100, by which a device checks itself (gleaner models verify); 0: none"`
	Export string `json:"export" doc:"how the bundle's file holds the numbers: float32, float16 or int8; --resume takes another, as it does of maylose"`

	MayLose float64 `json:"maylose" doc:"points of accuracy, 0.1 to 5, that an int8 file may lose against the network, as the paired test on held-out pictures bounds it at 95 %; fewer than 268 of them cannot show 1"`

	Device  string `json:"device" doc:"cpu, cuda, auto (cuda where it works, else cpu) or ref (plain Go, slow)"`
	Numbers string `json:"numbers" doc:"what is multiplied in: float32, tf32 (on cuda: faster, 10 bits of mantissa; float32 elsewhere) or bf16 (bfloat16, with weights in float32; on the CPU 3×3 and wider convolutions alone, where it has AVX512_BF16 or AMX)"`
	Threads int    `json:"threads" doc:"of the CPU; 0: as many as it has"`
	Workers int    `json:"workers" doc:"pictures decoded and changed at a time; 0: half as many as the CPU has threads"`
}

// DefaultOptions are what a key that is not set means.
func DefaultOptions() Options {
	return Options{
		Val: "0.1", Fit: "letterbox", Augment: "none", Direction: "horizontal", Ground: "black", Balance: "none", Mean: []float64{127.5}, Std: []float64{127.5}, Cache: 1024,
		Net: "cnn-bn", Width: 1, Epochs: 20, Batch: 32, Seed: 1, Optimiser: "adamw", Momentum: 0.9, Nesterov: true,
		Beta1: 0.9, Beta2: 0.999, Decay: 0.01, Schedule: "cosine", Every: 10, Factor: 0.1, Wait: 3, Keep: "accuracy",
		Overfit: "auto", Scan: "auto", Save: 500, Report: true, Golden: 8, Export: "float32", MayLose: 1, Device: "auto", Numbers: "tf32",
	}
}

// Key describes one option.
type Key struct{ Name, Value, Doc string }

// Keys are all options with their values, in their order.
func (o *Options) Keys() (keys []Key) {
	v := reflect.ValueOf(o).Elem()
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		keys = append(keys, Key{tag.Get("json"), text(v.Field(i)), tag.Get("doc")})
	}
	return keys
}

// text is a value as Set takes it.
func text(v reflect.Value) string {
	if v.Kind() == reflect.Slice {
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = text(v.Index(i))
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(v.Interface())
}

// Set takes one key=value; augment=NAME and recipe=NAME set the keys of that set or recipe as well. The error names the key, and what it may have meant.
func (o *Options) Set(assignment string) error {
	key, value, ok := strings.Cut(assignment, "=")
	if !ok {
		return fmt.Errorf("%s: not of the form key=value", assignment)
	}
	v := reflect.ValueOf(o).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("json") == key {
			if err := assign(v.Field(i), value); err != nil {
				return fmt.Errorf("%s=%s: %w", key, value, err)
			}
			switch key {
			case "augment":
				return o.applySet(value)
			case "recipe":
				return o.applyRecipe(value)
			}
			return nil
		}
	}
	hint := "gleaner train --help lists the keys"
	if best := o.nearest(key); best != "" {
		hint = fmt.Sprintf("did you mean %q?", best)
	}
	return fmt.Errorf("%s: unknown key; %s", key, hint)
}

func assign(v reflect.Value, s string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("not true or false")
		}
		v.SetBool(b)
	case reflect.Int:
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("not a whole number")
		}
		v.SetInt(int64(n))
	case reflect.Uint64:
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return fmt.Errorf("not a whole number from 0 on")
		}
		v.SetUint(n)
	case reflect.Float64:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("not a number")
		}
		v.SetFloat(f)
	case reflect.Slice:
		list := reflect.MakeSlice(v.Type(), 0, 4)
		for part := range strings.SplitSeq(s, ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			e := reflect.New(v.Type().Elem()).Elem()
			if err := assign(e, part); err != nil {
				return fmt.Errorf("%s: %w", part, err)
			}
			list = reflect.Append(list, e)
		}
		v.Set(list)
	}
	return nil
}

// nearest is the key that a misspelt one most likely meant: the first that begins with it, or the one at the least edit
// distance (Levenshtein 1966), at most 2 and less than half its length.
func (o *Options) nearest(name string) (best string) {
	name = strings.ToLower(name)
	least := min(2, (len(name)-1)/2) + 1
	for _, k := range o.Keys() {
		if k.Name == name || len(name) > 1 && strings.HasPrefix(k.Name, name) {
			return k.Name
		}
		if d := distance(name, k.Name); d < least {
			best, least = k.Name, d
		}
	}
	return best
}

func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// JSON is the options as options.json has them: exact, in their order.
func (o *Options) JSON() []byte {
	b, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		panic(err) // numbers, texts and lists of them: Set takes no NaN
	}
	return append(b, '\n')
}

// Parse reads options.json. A key that is not known is an error; one that is missing changes nothing of a run.
func Parse(b []byte) (o Options, err error) {
	o.Augment, o.Direction, o.Ground, o.Balance, o.Report = "none", "horizontal", "black", "none", true
	o.Export, o.Numbers, o.MayLose = "float32", "float32", 1
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return o, err
	}
	return o, nil
}

// LayerRate is the share of the learning rate for layers by the start of their names.
type LayerRate struct {
	Prefix string
	Share  float64
}

// LayerRates are the layer-wise learning rates.
func (o *Options) LayerRates() (rates []LayerRate, err error) {
	for _, r := range o.Rates {
		prefix, value, ok := strings.Cut(r, ":")
		share, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil || prefix == "" || !(share >= 0 && share <= 1e6) {
			return nil, fmt.Errorf("rates=%s: not of the form layer:share, with a share from 0 on", r)
		}
		rates = append(rates, LayerRate{prefix, share})
	}
	return rates, nil
}

// Decoders is how many pictures are made at a time.
func (o *Options) Decoders() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return max(1, runtime.NumCPU()/2)
}

// Value is an option's value as Set takes it; empty for an unknown key.
func (o *Options) Value(key string) string {
	for _, k := range o.Keys() {
		if k.Name == key {
			return k.Value
		}
	}
	return ""
}

var notName = regexp.MustCompile(`[^a-z0-9._-]+`)

// BundleName is the bundle's name as a manifest takes it.
func (o *Options) BundleName() string {
	name := o.Name
	if name == "" {
		name = filepath.Base(filepath.Clean(o.Out))
	}
	name = strings.Trim(notName.ReplaceAllString(strings.ToLower(name), "-"), "-.")
	if name == "" {
		return "trained"
	}
	return name[:min(len(name), 64)]
}
