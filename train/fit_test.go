package train

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gleaner/capture/pictures"
	"gleaner/model/bundle"
	"gleaner/train/checkpoint"
	"gleaner/train/dataset"
	"gleaner/train/device"
	"gleaner/train/engine/onednn"
	"gleaner/train/engine/ref"
	"gleaner/train/export/parity"
	"gleaner/train/net"
	"gleaner/train/recipe"
	"gleaner/train/runs"
	"gleaner/train/weights"
)

// childEnv makes the test's program a training run with those options, as JSON; childResume one that goes on; childLimit
// bounds the size of its files, in bytes.
const (
	childEnv    = "TRAIN_TEST_OPTIONS"
	childResume = "TRAIN_TEST_RESUME"
	childLimit  = "TRAIN_TEST_LIMIT"
)

func TestMain(m *testing.M) {
	if err := onednn.Passive(); err != nil {
		panic(err)
	}
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o, err := recipe.Parse([]byte(os.Getenv(childEnv)))
	if err != nil {
		panic(err)
	}
	var limit uint64
	if _, err := fmt.Sscan(os.Getenv(childLimit), &limit); err == nil {
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			panic(err)
		}
	}
	_, err = Fit(ctx, o, os.Getenv(childResume) != "", Reporter{Epoch: func(r runs.Row, _ runs.Timing, _ bool) { fmt.Println("epoch", r.Epoch) }})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child starts a run in a process of its own.
func child(t *testing.T, o recipe.Options, env ...string) (c *exec.Cmd, stderr *bytes.Buffer) {
	t.Helper()
	c = exec.Command(os.Args[0])
	c.Env = append(append(os.Environ(), childEnv+"="+string(o.JSON())), env...)
	stderr = &bytes.Buffer{}
	c.Stderr = stderr
	return c, stderr
}

// fashion is Debian's Fashion-MNIST test set, opened once.
var fashion = sync.OnceValues(func() (*pictures.Set, error) { return pictures.Open("fashion-mnist") })

// garments is an idx folder of the first n pictures of Debian's Fashion-MNIST test set, at half their size.
func garments(t testing.TB, n int) string {
	t.Helper()
	s, err := fashion()
	if err != nil {
		t.Skip("Fashion-MNIST is absent (Debian: dataset-fashion-mnist)")
	}
	const side = 14
	images := []byte{0, 0, 8, 3}
	for _, d := range []int{n, side, side} {
		images = binary.BigEndian.AppendUint32(images, uint32(d))
	}
	labels := binary.BigEndian.AppendUint32([]byte{0, 0, 8, 1}, uint32(n))
	for i := range n {
		im, err := s.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		for y := range side {
			for x := range side {
				a, b := im.Row(2 * y)[6*x:], im.Row(2*y + 1)[6*x:]
				images = append(images, byte((int(a[0])+int(a[3])+int(b[0])+int(b[3]))/4))
			}
		}
		labels = append(labels, byte(s.Label(i)))
	}
	dir := filepath.Join(t.TempDir(), "fashion")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "train-images-idx3-ubyte"), images, 0o644),
		os.WriteFile(filepath.Join(dir, "train-labels-idx1-ubyte"), labels, 0o644)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// options are those of a small run on the garments in dir; more are set on top.
func options(t testing.TB, dir string, more ...string) recipe.Options {
	t.Helper()
	o := recipe.DefaultOptions()
	net := "net=cnn-small"
	if testing.Short() {
		net = "net=dense"
	}
	for _, s := range append([]string{"data=" + dir, "out=" + filepath.Join(t.TempDir(), "run"), net, "width=0.25", "units=16", "device=ref",
		"epochs=3", "batch=16", "lr=0.005", "val=0.25", "drop=0.1", "flip=true", "shift=1", "clip=5", "overfit=off", "scan=off", "save=0"}, more...) {
		if err := o.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// fit trains and gives what was said meanwhile.
func fit(t testing.TB, o recipe.Options, resume bool) (r *Result, notes string, err error) {
	t.Helper()
	var b strings.Builder
	r, err = Fit(t.Context(), o, resume, Reporter{Note: func(s string) { fmt.Fprintln(&b, s) }})
	return r, b.String(), err
}

func read(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// logged are the log's rows without the times.
func logged(t testing.TB, dir string) (rows [][]string) {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader(read(t, dir, runs.LogFile))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		rows = append(rows, r[:7])
	}
	return rows
}

// same tells how two finished runs differ, in anything but their times and their folder's name.
func same(t *testing.T, a, b string) {
	t.Helper()
	if x, y := logged(t, a), logged(t, b); !slices.EqualFunc(x, y, slices.Equal[[]string]) {
		t.Errorf("the logs differ:\n%v\n%v", x, y)
	}
	names := []string{runs.BestFile}
	err := fs.WalkDir(os.DirFS(a), runs.BundleDir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !bytes.Equal(read(t, a, name), read(t, b, name)) {
			t.Errorf("%s differs", name)
		}
	}
	x, errX := checkpoint.Read(filepath.Join(a, runs.CheckpointFile))
	y, errY := checkpoint.Read(filepath.Join(b, runs.CheckpointFile))
	if err := errors.Join(errX, errY); err != nil {
		t.Fatal(err)
	}
	if x.Text[stateKey] != y.Text[stateKey] {
		t.Errorf("the states differ:\n%s\n%s", x.Text[stateKey], y.Text[stateKey])
	}
	for i, v := range x.Arrays {
		if w := y.Arrays[i]; w.Name != v.Name || !slices.Equal(w.Data, v.Data) {
			t.Errorf("%s differs", v.Name)
		}
	}
}

// TestFit trains for real: it gets well above chance, says what it found before, and leaves everything in the run's folder.
func TestFit(t *testing.T) {
	n, epochs, batch, bar := 500, 6, 16, 0.5
	if testing.Short() {
		n, epochs, batch, bar = 120, 3, 6, 0.2
	}
	o := options(t, garments(t, n), "net=cnn-small", "overfit=on", "scan=on", fmt.Sprint("epochs=", epochs), fmt.Sprint("batch=", batch), "average=0.9", "schedule=onecycle", "units=32", "flip=false", "rates=conv:0.5")
	r, notes, err := fit(t, o, false)
	if err != nil {
		t.Fatal(err)
	}
	rows := logged(t, o.Out)
	if r.Best.Epoch == 0 || r.Best.ValAcc < bar || r.Last.Epoch != epochs || len(rows) != epochs+1 {
		t.Errorf("best %+v, last %+v, %d rows", r.Best, r.Last, len(rows))
	}
	for _, want := range []string{"one batch alone is learnt: ", "learning rates: the loss falls fastest at "} {
		if !strings.Contains(notes, want) {
			t.Errorf("%q is not in what it said: %s", want, notes)
		}
	}
	b, err := bundle.Open(r.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	if b.Manifest.Name != "run" || b.Manifest.Accuracy != r.Best.ValAcc || len(b.Labels) != 10 || b.Manifest.Input.Width != 14 {
		t.Errorf("the bundle is %+v", b.Manifest)
	}
	stored, ok, err := runs.Stored(o.Out, nil, nil)
	if err != nil || !ok || string(stored.JSON()) != string(o.JSON()) {
		t.Errorf("the options are kept as %s, %v", stored.JSON(), err)
	}
	made, _, err := recipe.Network(&o, []int{14, 14, 1}, garmentHeads())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := weights.Load(filepath.Join(o.Out, runs.BestFile), made, garmentHeads()); err != nil {
		t.Error(err)
	}
}

// TestResumeAfterKill kills a run again and again at random moments, and goes on each time: in the end it is as if nothing had
// happened, to the last bit.
func TestResumeAfterKill(t *testing.T) {
	dir := garments(t, 200)
	more := []string{"save=4", "optimiser=adamw", "average=0.95", "schedule=plateau", "wait=0", "epochs=4", "smoothing=0.1"}
	calm := options(t, dir, more...)
	if _, _, err := fit(t, calm, false); err != nil {
		t.Fatal(err)
	}
	o := options(t, dir, more...)
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	kills := 0
	var env []string
	for range 40 {
		c, stderr := child(t, o, env...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(20+r.IntN(250))*time.Millisecond, func() { _ = c.Process.Kill() })
		err := c.Wait()
		kill.Stop()
		if err == nil {
			break
		}
		if !c.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
			t.Fatalf("%v: %s", err, stderr)
		}
		kills++
		env = []string{childResume + "=1"}
	}
	if _, _, err := fit(t, o, true); err != nil { // also when it was finished already
		t.Fatal(err)
	}
	t.Logf("killed %d times", kills)
	files, err := filepath.Glob(filepath.Join(o.Out, "[^.]*.*"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files { // what a kill in the middle of writing it leaves, which the kills above seldom hit
		if err := os.WriteFile(filepath.Join(o.Out, "."+filepath.Base(f)+"123"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := fit(t, o, true); err != nil {
		t.Fatal(err)
	}
	same(t, calm.Out, o.Out)
	if left, _ := filepath.Glob(filepath.Join(o.Out, ".*")); len(left) != 1 {
		t.Errorf("%v is left", left)
	}
}

// TestInterrupt: Ctrl-C leaves a checkpoint to go on from and a bundle, whenever it comes.
func TestInterrupt(t *testing.T) {
	dir := garments(t, 200)
	calm := options(t, dir, "epochs=2", "save=4")
	if _, _, err := fit(t, calm, false); err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{1, 13} { // in the first epoch, when nothing is best yet, and in the second
		o := options(t, dir, "epochs=2", "save=4")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r, err := Fit(ctx, o, false, Reporter{Step: func(p Progress) {
			if p.Step >= at || p.Step == 9 && at > 9 {
				cancel()
			}
		}})
		if !errors.Is(err, ErrInterrupted) || !strings.Contains(err.Error(), "--resume goes on from there") || r == nil {
			t.Fatalf("got %v", err)
		}
		if b, err := bundle.Open(r.Bundle); err != nil || len(b.Labels) != 10 {
			t.Errorf("the bundle: %v", err)
		}
		if report := read(t, r.Bundle, "report.json"); !bytes.Contains(report, []byte("beside the worst errors: the run was interrupted.")) {
			t.Errorf("the report: %.500s", report)
		}
		if _, notes, err := fit(t, o, true); err != nil || !strings.Contains(notes, "goes on from step ") {
			t.Errorf("%v, it said %s", err, notes)
		}
		same(t, calm.Out, o.Out)
	}
}

// TestSignal: in a process of its own, on a real signal.
func TestSignal(t *testing.T) {
	o := options(t, garments(t, 200), "epochs=10000", "scan=off")
	c, stderr := child(t, o)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	one := make([]byte, 1)
	if _, err := out.Read(one); err != nil { // an epoch is over
		t.Fatal(err)
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = c.Wait()
	if c.ProcessState.ExitCode() != 1 || !strings.HasPrefix(stderr.String(), "interrupted in epoch ") || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("%v: %s", err, stderr)
	}
	if _, err := bundle.Open(filepath.Join(o.Out, runs.BundleDir)); err != nil {
		t.Error(err)
	}
}

// TestDiverged: numbers that become NaN end the run, name the layer, and harm no checkpoint.
func TestDiverged(t *testing.T) {
	o := options(t, garments(t, 200), "optimiser=sgd", "momentum=0", "nesterov=false", "lr=1e6", "clip=0", "schedule=constant", "save=1", "drop=-1", "shift=0")
	_, _, err := fit(t, o, false)
	var d *DivergedError
	if !errors.As(err, &d) {
		t.Fatalf("got %v", err)
	}
	if d.Layer == "" || d.Step < 2 || !strings.Contains(err.Error(), fmt.Sprintf("the checkpoint of step %d is kept", d.Step-1)) ||
		!strings.Contains(err.Error(), "lower lr") || strings.Contains(err.Error(), "\n") {
		t.Errorf("it says %v", err)
	}
	f, err := checkpoint.Read(filepath.Join(o.Out, runs.CheckpointFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range f.Arrays {
		if slices.ContainsFunc(a.Data, notFinite) {
			t.Errorf("the checkpoint has numbers in %s that are not finite", a.Name)
		}
	}
	if _, _, err := fit(t, o, true); !errors.As(err, &d) { // and it diverges again, in the same step
		t.Errorf("it goes on with %v", err)
	}
}

// TestOnOneDNN trains on the CPU's library: it learns, it finds the layer whose numbers diverge, and after an interruption it
// comes to the same, to the last bit.
func TestOnOneDNN(t *testing.T) {
	b, err := onednn.New(onednn.Options{})
	if err != nil {
		t.Skip(err)
	}
	_ = b.Close()
	dir := garments(t, 400)
	more := []string{"device=cpu", "threads=2", "net=cnn-bn", "width=0.25", "drop=0.1", "epochs=6", "average=0.9", "units=0", "save=4"}
	calm, o := options(t, dir, more...), options(t, dir, more...)
	r, _, err := fit(t, calm, false)
	if err != nil || r.Best.ValAcc < 0.5 {
		t.Fatalf("%v, %+v", err, r)
	}
	for _, until := range []int{5, 40} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := Fit(ctx, o, until > 5, Reporter{Step: func(p Progress) {
			if p.Step >= until {
				cancel()
			}
		}})
		if !errors.Is(err, ErrInterrupted) {
			t.Fatal(err)
		}
	}
	if _, _, err := fit(t, o, true); err != nil {
		t.Fatal(err)
	}
	same(t, calm.Out, o.Out)
	var d *DivergedError
	if _, _, err := fit(t, options(t, dir, "device=cpu", "optimiser=sgd", "lr=1e6", "clip=0", "save=1"), false); !errors.As(err, &d) || d.Layer == "" {
		t.Errorf("got %v", err)
	}
}

// TestTwoStepsUnderWay: a device that is given the next batch while it works comes to the same, also after an interruption,
// and numbers that become NaN are found.
func TestTwoStepsUnderWay(t *testing.T) {
	dir := garments(t, 200)
	two := func(*recipe.Options, func(string)) (*device.Opened, error) {
		return &device.Opened{Backend: ref.New[float32](), Depth: 2}, nil
	}
	calm, o := options(t, dir, "save=4", "average=0.9"), options(t, dir, "save=4", "average=0.9")
	if _, _, err := fit(t, calm, false); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if _, err := fitOn(ctx, o, false, Reporter{Step: func(Progress) { cancel() }}, two); !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	if _, err := fitOn(t.Context(), o, true, Reporter{}, two); err != nil {
		t.Fatal(err)
	}
	same(t, calm.Out, o.Out)
	wild := options(t, dir, "optimiser=sgd", "lr=1e6", "clip=0", "save=1")
	var d *DivergedError
	if _, err := fitOn(t.Context(), wild, false, Reporter{}, two); !errors.As(err, &d) || d.Layer == "" || !strings.Contains(err.Error(), "is kept") {
		t.Errorf("got %v", err)
	}
}

// TestSkipped: files that cannot be read are left out, counted, and listed.
func TestSkipped(t *testing.T) {
	root := t.TempDir()
	for i := range 8 {
		name := filepath.Join(root, string(rune('a'+i%2)), fmt.Sprint(i)+".png")
		data := tinyPNG
		if i == 5 {
			data = tinyPNG[:30]
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	o := options(t, root, "net=dense", "size=8", "epochs=1", "batch=4")
	_, notes, err := fit(t, o, false)
	if err != nil || !strings.Contains(notes, "1 files could not be read and are left out, such as "+root+"/b/5.png") {
		t.Errorf("%v, it said %s", err, notes)
	}
	if list := string(read(t, o.Out, runs.SkippedFile)); !strings.HasPrefix(list, "path,reason\n"+root+"/b/5.png,") {
		t.Errorf("listed are %s", list)
	}
}

// TestFullDisk: when there is no room for a checkpoint, the old one stays, and once there is room the run goes on from it.
func TestFullDisk(t *testing.T) {
	dir := garments(t, 200)
	calm := options(t, dir, "save=4")
	if _, _, err := fit(t, calm, false); err != nil {
		t.Fatal(err)
	}
	size := len(read(t, calm.Out, runs.CheckpointFile))
	o := options(t, dir, "save=4")
	// The first checkpoint, without the best weights, fits; the second, which has them, does not.
	c, stderr := child(t, o, childLimit+"="+fmt.Sprint(size*7/8))
	if err := c.Run(); c.ProcessState.ExitCode() != 1 {
		t.Fatalf("%v: %s", err, stderr)
	}
	for _, want := range []string{"the limit on the size of files is reached", "what was there before is kept", "--resume goes on from step 8"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("%q is not in %s", want, stderr)
		}
	}
	if _, _, err := fit(t, o, true); err != nil {
		t.Fatal(err)
	}
	same(t, calm.Out, o.Out)
}

// TestResumeRefuses what is not this run's checkpoint, in one line that names the difference, and leaves it as it is.
func TestResumeRefuses(t *testing.T) {
	dir := garments(t, 200)
	o := options(t, dir, "epochs=1", "net=cnn-small")
	if _, _, err := fit(t, o, false); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(o.Out, runs.CheckpointFile)
	good := read(t, path)
	other := func(set ...string) recipe.Options {
		return options(t, dir, append([]string{"epochs=1", "net=cnn-small", "out=" + o.Out}, set...)...)
	}
	change := func(f func(c *checkpoint.File)) func() {
		return func() {
			c, err := checkpoint.Read(path)
			if err != nil {
				t.Fatal(err)
			}
			f(c)
			if err := checkpoint.Write(path, c); err != nil {
				t.Fatal(err)
			}
		}
	}
	at := func(f func(s *state)) func() {
		return change(func(c *checkpoint.File) {
			var s state
			if err := json.Unmarshal([]byte(c.Text[stateKey]), &s); err != nil {
				t.Fatal(err)
			}
			f(&s)
			b, _ := json.Marshal(s)
			c.Text[stateKey] = string(b)
		})
	}
	for _, c := range []struct {
		name   string
		o      recipe.Options
		before func()
		want   string
	}{
		{"another network", other("net=dense"), nil, "it is of the network cnn-small, and this run trains dense"},
		{"another width", other("width=0.5"), nil, "conv/w is [8 3 3 1] in it, and [16 3 3 1] in cnn-small of this run"},
		{"another optimiser", other("optimiser=sgd"), nil, "it has no conv/w:velocity, which cnn-small has as [8 3 3 1]"},
		{"another seed", other("seed=2"), nil, "seed=2: the run was begun with seed=1, and a resumed run keeps its options"},
		{"other pictures", other("data=" + garments(t, 199)), nil, "its pictures were others than those of data="},
		{"damaged", o, func() { _ = os.WriteFile(path, good[:len(good)-5], 0o644) }, "damaged"},
		{"another format", o, change(func(c *checkpoint.File) { c.Text["format"] = "gleaner checkpoint 9" }), `its format is "gleaner checkpoint 9"`},
		{"beyond the end", o, at(func(s *state) { s.Step = 1000 }), "which is no place in this run"},
		{"negative", o, at(func(s *state) { s.Batch = -1 }), "which is no place in this run"},
		{"best missing", o, change(func(c *checkpoint.File) { c.Arrays = c.Arrays[:len(c.Arrays)-1] }), "its best weights are not complete"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(path, good, 0o644); err != nil {
				t.Fatal(err)
			}
			if c.before != nil {
				c.before()
			}
			is := read(t, path)
			_, _, err := fit(t, c.o, true)
			var in *InputError
			if !errors.As(err, &in) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q and the path", err, c.want)
			}
			if !bytes.Equal(read(t, path), is) {
				t.Error("the file was changed")
			}
		})
	}
}

// TestFitRefuses what cannot be trained, before anything is written.
func TestFitRefuses(t *testing.T) {
	dir := garments(t, 40)
	root := t.TempDir()
	one := filepath.Join(root, "one", "can")
	if err := errors.Join(os.MkdirAll(one, 0o755), os.WriteFile(filepath.Join(one, "1.png"), tinyPNG, 0o644), os.Mkdir(filepath.Join(root, "empty"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, set, want string }{
		{"no pictures", "data=" + root + "/empty", "no labelled picture"},
		{"one class", "data=" + root + "/one", "all 1 pictures are of one class, can"},
		{"nothing there", "data=" + root + "/none", "no such file"},
		{"network", "net=resnet99", `no network is called "resnet99"`},
		{"shapes", "net=cnn-deep", "layer pool"},
		{"freeze", "freeze=nope", `no layer that begins with "nope"`},
		{"rates", "rates=nope:2", "rates=nope:2: network cnn-small has no layer that begins so"},
		{"warm-up", "warmup=3", "the warm-up of "},
		{"start", "start=" + root + "/none.safetensors", "none.safetensors: no such file"},
		{"import", "net=" + root + "/none.tflite", "no such file"},
		{"validation class", "val=" + root + "/one", `the class "can" is not one that is trained`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options(t, dir, "net=cnn-small", c.set)
			if c.name == "shapes" {
				o.Size = 8
			}
			_, _, err := fit(t, o, false)
			var in *InputError
			if !errors.As(err, &in) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if _, err := os.Stat(filepath.Join(o.Out, runs.OptionsFile)); err == nil {
				t.Error("a run was begun")
			}
		})
	}
	o := options(t, dir, "epochs=1")
	if _, _, err := fit(t, o, false); err != nil {
		t.Fatal(err)
	}
	if _, _, err := fit(t, o, false); err == nil || !strings.Contains(err.Error(), "holds a run already: --resume goes on with it") {
		t.Errorf("a folder in use: %v", err)
	}
}

// TestStart: weights of one run begin another, frozen layers stay as they were.
func TestStart(t *testing.T) {
	dir := garments(t, 120)
	first := options(t, dir, "epochs=1", "net=cnn-small")
	if _, _, err := fit(t, first, false); err != nil {
		t.Fatal(err)
	}
	next := options(t, dir, "epochs=1", "net=cnn-small", "start="+filepath.Join(first.Out, runs.BestFile), "freeze=conv", "decay=0.1")
	if _, _, err := fit(t, next, false); err != nil {
		t.Fatal(err)
	}
	n, _, err := recipe.Network(&first, []int{14, 14, 1}, garmentHeads())
	if err != nil {
		t.Fatal(err)
	}
	load := func(o recipe.Options) net.Weights {
		w, err := weights.Load(filepath.Join(o.Out, runs.BestFile), n, garmentHeads())
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	a, b := load(first), load(next)
	if !slices.Equal(a["conv/w"], b["conv/w"]) || slices.Equal(a["dense/w"], b["dense/w"]) {
		t.Error("the frozen layer learnt, or the other did not")
	}
}

// TestImportedTrunk trains a new head on the layers of a .tflite file, frozen, with fresh norms behind its convolution.
func TestImportedTrunk(t *testing.T) {
	dir := garments(t, 160)
	first := options(t, dir, "epochs=2", "net=cnn-small")
	r, _, err := fit(t, first, false)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(r.Bundle, bundle.ModelFile)
	o := options(t, dir, "epochs=2", "net="+file, "freeze=trunk/", "norms=true", "units=0")
	if r, _, err = fit(t, o, false); err != nil {
		t.Fatal(err)
	}
	n, began, err := recipe.Network(&o, []int{14, 14, 1}, garmentHeads())
	if err != nil {
		t.Fatal(err)
	}
	w, err := weights.Load(filepath.Join(o.Out, runs.BestFile), n, garmentHeads())
	if err != nil {
		t.Fatal(err)
	}
	learnt := 0
	for name, d := range w {
		switch same := slices.Equal(d, began[name]); {
		case strings.HasPrefix(name, "trunk/conv") && strings.HasSuffix(name, "/w") && !same:
			t.Errorf("the frozen %s has changed", name)
		case !same:
			learnt++
		}
	}
	if learnt == 0 {
		t.Error("nothing has learnt")
	}
	if _, err := bundle.Open(r.Bundle); err != nil {
		t.Error(err)
	}
}

// TestQuantised fine-tunes a trained network through int8: its norms are folded, its ranges measured, and the file is int8. It
// goes on after an interruption without the weights it began with.
func TestQuantised(t *testing.T) {
	n, epochs := 160, "epochs=2"
	if testing.Short() {
		n, epochs = 50, "epochs=1"
	}
	dir := garments(t, n)
	first := options(t, dir, epochs, "net=cnn-bn", "width=0.25", "drop=-1", "batch=8")
	if _, _, err := fit(t, first, false); err != nil {
		t.Fatal(err)
	}
	start := filepath.Join(first.Out, runs.BestFile)
	more := []string{epochs, "net=cnn-bn", "width=0.25", "drop=-1", "batch=8", "start=" + start, "quantise=8", "export=int8", "lr=0.0005", "save=1", "maylose=5", "test=" + garments(t, 60)}
	calm := options(t, dir, more...)
	quantised := func(o recipe.Options, resume bool, until int) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := Fit(ctx, o, resume, Reporter{Step: func(p Progress) {
			if p.Step >= until {
				cancel()
			}
		}})
		var p *parity.ParityError
		if errors.As(err, &p) { // a few pictures cannot exclude a loss
			return nil
		}
		return err
	}
	if err := quantised(calm, false, 1000); err != nil {
		t.Fatal(err)
	}
	o := options(t, dir, more...)
	if err := quantised(o, false, 1); err != nil && !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	if err := os.Remove(start); err != nil {
		t.Fatal(err)
	}
	if err := quantised(o, true, 1000); err != nil {
		t.Fatal(err)
	}
	a, b := read(t, calm.Out, runs.BestFile), read(t, o.Out, runs.BestFile)
	if !bytes.Equal(a, b) {
		t.Error("gone on, it comes to other weights")
	}
	f, err := checkpoint.Read(filepath.Join(o.Out, runs.BestFile))
	if err != nil {
		t.Fatal(err)
	}
	ranges := 0
	for _, a := range f.Arrays {
		if strings.Contains(a.Name, "/bn/") {
			t.Errorf("%s is not folded", a.Name)
		}
		if strings.HasSuffix(a.Name, "/range") && a.Data[1] > a.Data[0] {
			ranges++
		}
	}
	if ranges < 4 {
		t.Errorf("%d ranges were measured", ranges)
	}
}

// TestPatience ends a run that gets no better, and an end reached early stays the end.
func TestPatience(t *testing.T) {
	o := options(t, garments(t, 120), "epochs=50", "lr=1e-12", "patience=2", "schedule=constant")
	r, _, err := fit(t, o, false)
	if err != nil || !r.Early || r.Last.Epoch != 3 || r.Best.Epoch != 1 {
		t.Fatalf("%v, %+v", err, r)
	}
	again, _, err := fit(t, o, true)
	if err != nil || again.Last != r.Last || again.Best != r.Best {
		t.Errorf("gone on: %v, %+v", err, again)
	}
}

// garmentHeads is the head of the garments.
func garmentHeads() []dataset.Head {
	s, err := fashion()
	if err != nil {
		panic(err) // the caller has the pictures
	}
	return []dataset.Head{{Name: "class", Labels: s.Labels()}}
}

// tinyPNG is a picture of one pixel.
var tinyPNG = func() []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		panic(err)
	}
	return b.Bytes()
}()
