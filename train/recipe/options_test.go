package recipe

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func set(t *testing.T, assignments ...string) Options {
	t.Helper()
	o := DefaultOptions()
	for _, a := range append([]string{"data=d", "out=runs/first"}, assignments...) {
		if err := o.Set(a); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func TestSet(t *testing.T) {
	o := set(t, "lr=0.01", "epochs=7", "flip=true", "mean=1, 2.5,3", "freeze=conv,head/", "seed=18446744073709551615", "name=a=b", "rates=")
	if o.LR != 0.01 || o.Epochs != 7 || !o.Flip || !slices.Equal(o.Mean, []float64{1, 2.5, 3}) || !slices.Equal(o.Freeze, []string{"conv", "head/"}) ||
		o.Seed != 1<<64-1 || o.Name != "a=b" || len(o.Rates) != 0 {
		t.Errorf("%+v", o)
	}
	if o.Value("mean") != "1,2.5,3" || o.Value("seed") != "18446744073709551615" || o.Value("none") != "" {
		t.Errorf("mean is %q", o.Value("mean"))
	}
}

func TestSetRefuses(t *testing.T) {
	for assignment, want := range map[string]string{
		"lr":          "lr: not of the form key=value",
		"lrr=1":       `lrr: unknown key; did you mean "lr"?`,
		"epoch=3":     `epoch: unknown key; did you mean "epochs"?`,
		"learning=1":  "learning: unknown key; gleaner train --help lists the keys",
		"optimizer=x": `optimizer: unknown key; did you mean "optimiser"?`,
		"Lr=1":        `Lr: unknown key; did you mean "lr"?`,
		"lr=fast":     "lr=fast: not a number",
		"lr=NaN":      "lr=NaN: not a number",
		"epochs=1.5":  "epochs=1.5: not a whole number",
		"seed=-1":     "seed=-1: not a whole number from 0 on",
		"flip=maybe":  "flip=maybe: not true or false",
		"mean=1,x":    "mean=1,x: x: not a number",
		"=1":          ": unknown key; ",
	} {
		o := DefaultOptions()
		if err := o.Set(assignment); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", assignment, err, want)
		}
		if !reflect.DeepEqual(o, DefaultOptions()) {
			t.Errorf("%s: something was set", assignment)
		}
	}
}

// TestKeys: every option has a name and a word about it, and what is kept is read again as it was.
func TestKeys(t *testing.T) {
	o := set(t, "mean=1,2", "rates=conv:0.1,head:2", "rule=dirt:dirty:general", "lr=1e-3")
	seen := map[string]bool{}
	again := DefaultOptions()
	for _, k := range o.Keys() {
		if k.Name == "" || k.Name != strings.ToLower(k.Name) || len(k.Doc) < 5 || seen[k.Name] {
			t.Errorf("key %+v", k)
		}
		seen[k.Name] = true
		if err := again.Set(k.Name + "=" + k.Value); err != nil {
			t.Error(err)
		}
	}
	if string(again.JSON()) != strings.ReplaceAll(string(o.JSON()), `"freeze": null`, `"freeze": []`) {
		t.Errorf("set again:\n%s\n%s", again.JSON(), o.JSON())
	}
	parsed, err := Parse(o.JSON())
	if err != nil || !reflect.DeepEqual(parsed, o) {
		t.Errorf("%v: %+v", err, parsed)
	}
	if _, err := Parse([]byte(`{"lrr": 1}`)); err == nil {
		t.Error("an unknown key is read")
	}
}

// TestParseOfOlder: options.json of a program that did not know some keys yet is of a run that goes on, as it was.
func TestParseOfOlder(t *testing.T) {
	o := set(t)
	if err := o.Check(); err != nil {
		t.Fatal(err)
	}
	later := strings.Fields("recipe fold rule augment rotate zoom shear erase hue saturation blur direction noise ground mixup balance " +
		"squares probe views settle ensemble withmirror withprobe unknown report golden export maylose numbers")
	for _, without := range append([][]string{later}, slices.Collect(slices.Chunk(later, 1))...) {
		var keys map[string]any
		if err := json.Unmarshal(o.JSON(), &keys); err != nil {
			t.Fatal(err)
		}
		for _, k := range without {
			delete(keys, k)
		}
		older, err := json.Marshal(keys)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(older)
		if err == nil {
			err = got.Check()
		}
		if err != nil {
			t.Errorf("without %v: %v", without, err)
		}
		for _, k := range without {
			if k != "golden" && k != "numbers" && got.Value(k) != o.Value(k) { // no golden pictures and float32 are what the program did before
				t.Errorf("without %s it is %s", k, got.Value(k))
			}
		}
	}
}

func TestCheck(t *testing.T) {
	o := set(t, "optimiser=sgd")
	if err := o.Check(); err != nil || o.LR != 0.05 || o.BundleName() != "first" {
		t.Errorf("%v, lr=%g, %s", err, o.LR, o.BundleName())
	}
	for assignments, want := range map[string]string{
		"data=":                            "data= is missing",
		"out=":                             "out= is missing",
		"size=-1":                          "size=-1: not in 0 to 4096",
		"colour=cmyk":                      "colour=cmyk: not one of ",
		"epochs=0":                         "epochs=0: nothing would be learnt",
		"batch=0":                          "batch=0: not in 1 to",
		"optimiser=lion":                   "optimiser=lion: not one of sgd, adam, adamw",
		"lr=-1":                            "lr=-1: not in ",
		"average=1":                        "average=1: not in ",
		"smoothing=1":                      "smoothing=1: not in ",
		"device=tpu":                       "device=tpu: not one of ",
		"shift=-1":                         "shift -1 and cutout 0 are pixels",
		"brightness=2":                     "brightness 2 and contrast 0 are in 0 to 1",
		"rotate=200":                       "rotate 200 is not in 0 to 180",
		"balance=even":                     "balance=even: not one of ",
		"mixup=-1":                         "mixup=-1: not in 0 to 100",
		"direction=up":                     "direction=up: not one of ",
		"rates=conv":                       "rates=conv: not of the form layer:share",
		"rates=conv:-1":                    "rates=conv:-1: not of the form layer:share",
		"val=0":                            "val=0: schedule=plateau, patience and keep=accuracy need validation pictures",
		"val=0 keep=last patience=3":       "val=0: ",
		"val=0 keep=last schedule=plateau": "val=0: ",
		"ensemble=9":                       "ensemble=9: not in 0 to 8",
		"ensemble=-1":                      "ensemble=-1: not in 0 to 8",
		"ensemble=3 val=0 keep=last":       "ensemble=3: validation pictures choose the checkpoints, and val=0 leaves none",
		"ensemble=3 keep=loss":             "keep=loss does not go with it",
		"ensemble=2 quantise=8 start=s export=int8": "ensemble=2: checkpoints of quantise=8 ",
		"squares=-1":                     "squares=-1: not in 0 to 256",
		"squares=8 probe=0.03":           "squares=8: they stand on the features of a .tflite file",
		"squares=8 net=a.tflite units=9": "in the place of units=",
		"squares=8 net=a.tflite":         "squares=8: probe= fits them",
		"withprobe=true":                 "withprobe=true: there is no probe to join",
		"withmirror=true":                "withmirror=true: without flip=true",
		"quantise=1":                     "quantise=1: not 0, nor 2 to 16",
		"quantise=8":                     "it needs start= and export=int8",
		"export=onnx":                    "export=onnx: not one of float32, float16, int8",
		"rule=dirt:dirty":                `rule="dirt:dirty" is not of the form attribute:label:class`,
		"rule=a:b:c,dirt::foul":          `rule="dirt::foul" is not of the form attribute:label:class`,
		"val=1.5":                        "val=1.5: not in 0 to 0.9",
		"val=0.95":                       "val=0.95: not in 0 to 0.9",
		"val=-0.1":                       "val=-0.1: not in 0 to 0.9",
		"ensemble=1":                     "ensemble=1: one checkpoint is none; 2 to 8 are",
		"cut=foo":                        "cut=foo: only of a .tflite file",
		"probe=0.01":                     "probe=0.01: net=cnn-bn begins with random weights",
		"overfit=yes":                    "overfit=yes: not one of auto, on, off",
	} {
		o := set(t, strings.Fields(assignments)...)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", assignments, err, want)
		}
	}
}

func TestLayerRates(t *testing.T) {
	o := set(t, "rates=conv1:0.1,head:10")
	r, err := o.LayerRates()
	if err != nil || !slices.Equal(r, []LayerRate{{"conv1", 0.1}, {"head", 10}}) {
		t.Errorf("%v, %v", r, err)
	}
}

func TestBundleName(t *testing.T) {
	for given, want := range map[string]string{"out=runs/Mein Lauf!": "mein-lauf", "out=/": "trained", "name=벨트 belt": "belt", "name=" + strings.Repeat("x", 99): strings.Repeat("x", 64)} {
		o := set(t, given)
		if got := o.BundleName(); got != want {
			t.Errorf("%s: %q, want %q", given, got, want)
		}
	}
}

// FuzzParse: options.json may have been edited by hand.
func FuzzParse(f *testing.F) {
	o := DefaultOptions()
	f.Add(o.JSON())
	f.Add([]byte(`{"mean":[1e309],"seed":-1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := Parse(b)
		if err != nil {
			return
		}
		_ = o.Check()
		if _, err := Parse(o.JSON()); err != nil {
			t.Errorf("what it writes it does not read: %v", err)
		}
	})
}
