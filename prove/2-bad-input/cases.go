package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/model/flat"
	"gleaner/prove/internal/cases"
	"gleaner/train/engine/xla"
)

// options are wrong keys and values.
func (b *bench) options() []cases.Case {
	with := func(more ...string) []string { return b.train(b.data, b.out(), more...) }
	return []cases.Case{
		cases.Refused("nothing given", []string{"data= is missing"}, "train"),
		cases.Refused("unknown option", []string{"epoch: unknown key", `did you mean "epochs"?`}, with("epoch=3")...),
		cases.Refused("option without a value", []string{"fast", "key=value"}, with("fast")...),
		cases.Refused("option of a wrong kind", []string{"epochs=many"}, with("epochs=many")...),
		cases.Refused("option out of range", []string{"smoothing=2"}, with("smoothing=2")...),
		cases.Refused("unknown optimiser", []string{"optimiser=lion", "adamw"}, with("optimiser=lion")...),
		cases.Refused("unknown schedule", []string{"schedule=linear", "cosine"}, with("schedule=linear")...),
		cases.Refused("warm-up longer than the run", []string{"warm-up"}, with("warmup=9")...),
		cases.Refused("plateau without validation", []string{"val=0", "plateau"}, with("val=0", "keep=last", "schedule=plateau")...),
		cases.Refused("unknown flag", []string{"--fast"}, with("--fast")...),
		cases.Refused("unknown device", []string{"device=tpu", "cuda"}, with("device=tpu")...),
		{Name: "missing plug-in", Try: b.missingPlugin},
		{Name: "plug-in that is no library", Try: b.brokenPlugin},
		{Name: "missing oneDNN", Try: b.missingLibrary},
		cases.Refused("folder that cannot be made", []string{"out=", "not a directory"}, b.train(b.data, b.File("a file", nil)+"/run")...),
		cases.Refused("folder of another run", []string{"holds a run already", "--resume"}, b.train(b.data, b.finished)...),
		cases.Refused("resume with another option", []string{"lr=0.5", "begun with lr=0.01"}, "train", "out="+b.finished, "--resume", "lr=0.5"),
		cases.Refused("summary of no network", []string{"nope", "resnet50"}, "train", "summary", "net=nope"),
		{Name: "the same in a second process", Try: b.locked},
	}
}

// missingPlugin asks for the graphics card where no plug-in is, and where the path to it leads nowhere.
func (b *bench) missingPlugin() error {
	if _, err := xla.Find(""); err != nil {
		if err := ends(cases.BadInput, 0, []string{"device=cuda", "no PJRT plug-in", "pip install"}, b.train(b.data, b.out(), "device=cuda")...); err != nil {
			return err
		}
	}
	return b.plugin(filepath.Join(b.Dir, "nowhere.so"), "nowhere.so is not there", xla.PluginEnv)
}

// brokenPlugin names a file that is no library.
func (b *bench) brokenPlugin() error {
	return b.plugin(b.File("xla_cuda_plugin.so", []byte("no library at all")), "xla_cuda_plugin.so", "file too short")
}

func (b *bench) plugin(path string, want ...string) error {
	if err := os.Setenv(xla.PluginEnv, path); err != nil {
		return err
	}
	defer os.Unsetenv(xla.PluginEnv)
	return ends(cases.BadInput, 0, append(want, "device=cuda"), b.train(b.data, b.out(), "device=cuda")...)
}

// missingLibrary hides oneDNN in a name space of its own: a warning that says how to install it, and plain Go does the work.
func (b *bench) missingLibrary() error {
	libraries, err := filepath.Glob("/usr/lib/*/libdnnl.so.2*")
	if err != nil || len(libraries) == 0 {
		return errors.New("oneDNN is not on this machine, so that it cannot be hidden: make setup")
	}
	script := `for f in $LIBRARIES; do mount --bind /dev/null "$f" || exit 9; done; shift; exec bin/gleaner "$@"`
	if err := os.Setenv("LIBRARIES", strings.Join(libraries, " ")); err != nil {
		return err
	}
	defer os.Unsetenv("LIBRARIES")
	args := append([]string{"--map-root-user", "--mount", "bash", "-c", script, "bash", "-"}, b.train(b.data, b.out(), "device=cpu")...)
	code, _, errs, err := cases.Execute("unshare", args...)
	if err != nil || code != 0 || strings.Count(errs, "WARNING: ") != 1 || !strings.Contains(errs, "oneDNN") || !strings.Contains(errs, "apt-get install libdnnl2") {
		return fmt.Errorf("exit code %d, %v: %s", code, err, errs)
	}
	return nil
}

// locked trains twice in one folder at a time.
func (b *bench) locked() error {
	out := b.out()
	c := exec.Command("bin/gleaner", b.train(b.data, out, "epochs=100000", "scan=off", "overfit=off")...)
	said, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	defer func() { _, _ = c.Process.Kill(), c.Wait() }()
	if _, err := said.Read(make([]byte, 1)); err != nil { // an epoch is over
		return err
	}
	return ends(cases.BadInput, 0, []string{out, "another process trains there"}, "train", "out="+out, "--resume")
}

// pictures are data that nothing can be learnt from.
func (b *bench) pictures() []cases.Case {
	grey := picture(99)
	classes := func(name string, files map[string][]byte) string {
		for f, data := range files {
			b.File(filepath.Join(name, f), data)
		}
		return filepath.Join(b.Dir, name)
	}
	if err := os.MkdirAll(filepath.Join(b.Dir, "empty"), 0o755); err != nil {
		panic(err)
	}
	photos := func(source string, more ...string) []string {
		return b.train(source, b.out(), append([]string{"size=12"}, more...)...)
	}
	good := classes("good", map[string][]byte{"a/1.png": grey, "a/2.png": grey, "b/1.png": grey, "b/2.png": grey})
	return []cases.Case{
		cases.Refused("no such folder", []string{"none", "no such file"}, photos(filepath.Join(b.Dir, "none"))...),
		cases.Refused("no pictures", []string{"empty", "no labelled picture"}, photos(filepath.Join(b.Dir, "empty"))...),
		cases.Refused("pictures that cannot be read", []string{"no labelled picture", "2 files left out", "2.jpg"},
			photos(classes("broken", map[string][]byte{"a/1.png": grey[:20], "b/2.jpg": []byte("no picture")}))...),
		cases.Refused("one class", []string{"of one class, can"}, photos(classes("one", map[string][]byte{"can/1.png": grey, "can/2.png": grey}))...),
		cases.Refused("classes of one picture each", []string{"no class has a picture to spare", "val=0"},
			photos(classes("single", map[string][]byte{"a/1.png": grey, "b/1.png": grey}))...),
		cases.Refused("validation with another class", []string{`the class "c"`, "a, b"}, photos(good, "val="+classes("other", map[string][]byte{"c/1.png": grey}))...),
		cases.Refused("list with a broken line", []string{"list.txt", "line 2"}, photos(b.File("list.txt", []byte("x.png\ta\nnonsense\n")))...),
		cases.Refused("idx file that is cut off", []string{"truncated"}, photos(b.File("cut/train-images-idx3-ubyte", b.Read(filepath.Join(b.data, "train-images-idx3-ubyte"))[:500]))...),
		{Name: "broken pictures among good ones", Try: func() error {
			mixed := classes("mixed", map[string][]byte{"a/1.png": grey, "a/2.png": grey, "a/bad.png": grey[:40], "b/1.png": grey, "b/2.png": picture(1), "b/bad.jpg": nil})
			code, errs, err := cases.Gleaner(photos(mixed, "val=0.5")...)
			if err != nil || code != 0 || !strings.Contains(errs, "2 files could not be read and are left out, such as ") {
				return fmt.Errorf("exit code %d, %v: %s", code, err, errs)
			}
			return nil
		}},
	}
}

// networks are networks that cannot be, and files that cannot be imported.
func (b *bench) networks() []cases.Case {
	with := func(more ...string) []string { return b.train(b.data, b.out(), more...) }
	m := flat.New("with an operator that no network has")
	x := m.AddTensor("x", flat.Float32, 1, 12, 12, 1)
	y := m.AddTensor("twisted", flat.Float32, 1, 12, 12, 1)
	const tanh = 28
	m.AddOp(tanh, 1, []int{x}, []int{y}, flat.Options{})
	m.Graphs[0].Inputs, m.Graphs[0].Outputs = []int{x}, []int{y}
	file, err := m.Bytes()
	if err != nil {
		panic(err)
	}
	odd := b.File("odd.tflite", file)
	return []cases.Case{
		cases.Refused("unknown network", []string{`"resnet99"`, "resnet50"}, with("net=resnet99")...),
		cases.Refused("shapes that do not fit", []string{"cnn-deep", "layer pool4", "does not fit"}, with("net=cnn-deep")...),
		cases.Refused("layers to freeze that are not there", []string{`"stem"`}, with("freeze=stem")...),
		cases.Refused("rates for layers that are not there", []string{"rates=stem:2"}, with("rates=stem:2")...),
		cases.Refused("unknown operator in an imported file", []string{odd, "TANH", `"twisted"`}, with("net="+odd)...),
		cases.Refused("imported file that is missing", []string{"none.tflite", "no such file"}, with("net="+filepath.Join(b.Dir, "none.tflite"))...),
		cases.Refused("imported file of random bytes", []string{"random.tflite"}, with("net="+b.File("random.tflite", bytes.Repeat([]byte{7, 250, 3}, 999)))...),
		cases.Refused("int8 fine-tuning of nothing", []string{"quantise=8", "start="}, with("quantise=8", "export=int8")...),
		cases.Refused("weights to begin with that are missing", []string{"none.safetensors", "no such file"}, with("start="+filepath.Join(b.Dir, "none.safetensors"))...),
		cases.Refused("weights to begin with, of another network", []string{"best.safetensors", "of the network cnn-small", "dense"},
			with("net=dense", "start="+filepath.Join(b.finished, "best.safetensors"))...),
		cases.Refused("weights to begin with, of another width", []string{"best.safetensors", "conv/w is [8 3 3 1]", "[16 3 3 1]"},
			with("width=0.5", "start="+filepath.Join(b.finished, "best.safetensors"))...),
	}
}

// checkpoints are those that a run cannot go on from. Each is left as it is.
func (b *bench) checkpoints() []cases.Case {
	copied := func() string {
		out := b.out()
		for _, name := range []string{"options.json", "checkpoint.safetensors", "log.csv", "best.safetensors"} {
			b.File(filepath.Join(out, name), b.Read(filepath.Join(b.finished, name)))
		}
		return out
	}
	keeps := func(name string, want []string, spoil func(out string)) cases.Case {
		return cases.Case{Name: name, Try: func() error {
			out := copied()
			spoil(out)
			path := filepath.Join(out, "checkpoint.safetensors")
			before := b.Read(path)
			err := ends(cases.BadInput, 0, append([]string{path}, want...), "train", "out="+out, "--resume")
			if !bytes.Equal(b.Read(path), before) {
				err = errors.Join(err, errors.New("the checkpoint was changed"))
			}
			return err
		}}
	}
	instead := func(more ...string) func(out string) {
		return func(out string) {
			other := b.out()
			if code, errs, err := cases.Gleaner(b.train(b.data, other, more...)...); code != 0 {
				panic(fmt.Sprint(err, errs))
			}
			b.File(filepath.Join(out, "checkpoint.safetensors"), b.Read(filepath.Join(other, "checkpoint.safetensors")))
		}
	}
	changed := func(f func(data []byte) []byte) func(out string) {
		return func(out string) {
			path := filepath.Join(out, "checkpoint.safetensors")
			b.File(path, f(b.Read(path)))
		}
	}
	return []cases.Case{
		keeps("checkpoint of another network", []string{"of the network dense", "trains cnn-small"}, instead("net=dense")),
		keeps("checkpoint of another width", []string{"conv/w is [16 3 3 1]", "[8 3 3 1]"}, instead("width=0.5")),
		keeps("checkpoint of another optimiser", []string{"it has no conv/w:m"}, instead("optimiser=sgd")),
		keeps("checkpoint of a longer run", []string{"epochs=3: the run was begun with epochs=5"}, instead("epochs=5")),
		keeps("checkpoint that is cut off", []string{"damaged"}, changed(func(d []byte) []byte { return d[:len(d)*2/3] })),
		keeps("checkpoint with a bit turned", []string{"damaged", "sha256"}, changed(func(d []byte) []byte {
			d = slices.Clone(d)
			d[len(d)/2] ^= 4
			return d
		})),
		keeps("checkpoint of random bytes", []string{"damaged"}, changed(func([]byte) []byte { return bytes.Repeat([]byte("nonsense"), 500) })),
		keeps("checkpoint that is empty", []string{"damaged"}, changed(func([]byte) []byte { return nil })),
		keeps("checkpoint, and other pictures", []string{"its pictures were others"}, func(out string) {
			other := filepath.Join(b.Dir, "others")
			b.idx(other, 117)
			path := filepath.Join(out, "options.json")
			b.File(path, bytes.Replace(b.Read(path), []byte(b.data), []byte(other), 1))
		}),
		cases.Refused("options of nonsense", []string{"options.json"}, "train", "out="+filepath.Dir(b.File(filepath.Join(b.out(), "options.json"), []byte("{nonsense"))), "--resume"),
	}
}
