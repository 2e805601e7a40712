//go:build cgo && !nonative

package tflite

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"gleaner/model"
	"gleaner/model/modeltest"
)

// plug compiles the test's plug-in.
func plug(t testing.TB, flags ...string) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler for the test's plug-in")
	}
	out := filepath.Join(t.TempDir(), "libplug.so")
	args := append(strings.Fields(os.Getenv("CGO_CFLAGS")), "-shared", "-fPIC", "-o", out)
	args = append(append(args, flags...), "testdata/plug/plug.c", "-lm")
	if said, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("compile the plug-in: %v\n%s", err, said)
	}
	return out
}

func TestPlugins(t *testing.T) {
	good := plug(t)
	const softmax, none = "mobilenet_v1_0.25_128_quant", "face_detection_short_range"
	for _, c := range []struct {
		name, lib, do, file string
		want                string // of the plug-in's rung; LIB stands for the library
	}{
		{"claims the softmax of a uint8 model", good, "", softmax, "runs"},
		{"claims the softmax of an int8 model", good, "", "tf2_mobilenet_v2_1.0_224_ptq", "runs"},
		{"claims nothing", good, "", none, "claims no operator of this model"},
		{"fails", good, "fail", softmax, "made no delegate: no device is plugged in"},
		{"refuses the model", good, "refuse", softmax, "refused this model: this model is too large for the device"},
		{"crashes while making a delegate", good, "crash", softmax, "crashed while making a delegate: signal: segmentation fault"},
		{"ends the process", good, "exit", softmax, "ended the process while making a delegate: exit status 3"},
		{"hangs", good, "hang", softmax, "gave no answer within 500ms while making a delegate"},
		{"computes without end", good, "spin", softmax, "gave no answer within 500ms of processor time while making a delegate"},
		{"crashes on the model", good, "crash-prepare", softmax, "crashed while taking the model: signal: segmentation fault"},
		{"crashes while computing", good, "crash-compute", softmax, "crashed while computing: signal: segmentation fault"},
		{"fails to compute", good, "fail-compute", softmax, "failed to compute: the device is gone"},
		{"crashes when loaded", plug(t, "-DCRASH_AT_LOAD"), "", softmax, "crashed while loading: signal: segmentation fault"},
		{"is no plug-in", plug(t, "-DNO_FUNCTIONS"), "", softmax, "is no delegate plug-in: it lacks the function tflite_plugin_create_delegate"},
		{"is the GPU delegate", plug(t, "-DGPU"), "", softmax, "runs"},
		{"is absent", "/nowhere/libplug.so", "", softmax, "no such file"},
		{"is not installed", "libnosuchplug.so.1", "", softmax, "no such file"},
		{"is no library", network(t, softmax), "", softmax, "cannot be loaded: LIB: invalid ELF header"},
		{"needs another library", plug(t, needing(t)...), "", softmax, "needs libgonesoon.so, which is not installed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := DefaultOptions()
			if c.do == "hang" || c.do == "spin" {
				o.ProbeTimeout = 500 * time.Millisecond
			}
			o.Delegates = []External{{Library: c.lib, Options: []Option{{"do", c.do}}}}
			r := mustOpen(t, network(t, c.file), o)
			rungs := r.Info().Ladder
			got := rungs[0].Reason
			if rungs[0].Used {
				got = "runs"
			} else if !rungs[len(rungs)-1].Used || len(rungs) < 2 {
				t.Errorf("nothing runs below: %s", ladder(r.Info()))
			}
			if want := strings.ReplaceAll(c.want, "LIB", c.lib); !strings.HasPrefix(got, want) {
				t.Errorf("the plug-in %q, want %q", got, want)
			}
			if rungs[0].Name != "external:"+c.lib {
				t.Errorf("the rung's name is %s", rungs[0].Name)
			}
		})
	}
}

// needing are the flags of a plug-in that needs a library which is gone.
func needing(t *testing.T) []string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "gone.c"), []byte("int gone(void) { return 1; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lib := filepath.Join(dir, "libgonesoon.so")
	if said, err := exec.Command("cc", "-shared", "-fPIC", "-o", lib, filepath.Join(dir, "gone.c")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return []string{"-Wl,--no-as-needed", "-L" + dir, "-lgonesoon"}
}

// TestPluginComputes holds the answers with a plug-in to those without it, with XNNPACK behind it and without.
func TestPluginComputes(t *testing.T) {
	lib := plug(t)
	for _, c := range []struct {
		name, file, op string
		noXNNPACK      bool
		rest           string
		tolerance      float64
	}{
		{"float ADD before xnnpack", "face_detection_short_range", "0", false, "xnnpack+qs8+qu8", 2e-3},
		{"float ADD alone", "face_detection_short_range", "0", true, "", 2e-3},
		{"uint8 SOFTMAX alone", "mobilenet_v1_0.25_128_quant", "25", false, "", 1},
		{"int8 SOFTMAX before xnnpack", "tf2_mobilenet_v2_1.0_224_ptq", "25", false, "xnnpack+qs8+qu8", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := DefaultOptions()
			o.NoXNNPACK = c.noXNNPACK
			o.Delegates = []External{{Library: lib, Options: []Option{{"op", c.op}}}}
			with := mustOpen(t, network(t, c.file), o)
			rung := with.Info().Ladder[0]
			if !rung.Used || rung.Claimed < 1 || rung.Claimed >= rung.Of || rung.Rest != c.rest {
				t.Fatalf("rung %+v", rung)
			}
			t.Logf("%d of %d operators", rung.Claimed, rung.Of)
			plain := o
			plain.Delegates = nil
			without := mustOpen(t, network(t, c.file), plain)
			if d := difference(t, with, without); d > c.tolerance {
				t.Errorf("outputs differ by %v", d)
			}
		})
	}
}

// difference computes the same noise on both and gives the largest difference of an output element.
func difference(t *testing.T, a, b model.Runner) float64 {
	t.Helper()
	x := uint32(1)
	for i, in := range a.Inputs() {
		for j := range in.Data {
			x = x*1664525 + 1013904223
			in.Data[j] = byte(x >> 24)
		}
		if in.Type == model.Float32 {
			f := floats(in)
			for j := range f {
				x = x*1664525 + 1013904223
				f[j] = float32(x>>8)/(1<<23) - 1
			}
		}
		copy(b.Inputs()[i].Data, in.Data)
	}
	for _, r := range []model.Runner{a, b} {
		if err := r.Invoke(); err != nil {
			t.Fatal(err)
		}
	}
	worst := 0.0
	for i, out := range a.Outputs() {
		other := b.Outputs()[i]
		if out.Type == model.Float32 {
			for j, v := range floats(out) {
				worst = math.Max(worst, math.Abs(float64(v-floats(other)[j]))/math.Max(1, math.Abs(float64(v))))
			}
			continue
		}
		for j, v := range out.Data {
			worst = math.Max(worst, math.Abs(float64(v)-float64(other.Data[j])))
		}
	}
	return worst
}

func floats(t model.Tensor) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(&t.Data[0])), len(t.Data)/4)
}

func TestPluginKeepsTheContract(t *testing.T) {
	o := DefaultOptions()
	o.Delegates = []External{{Library: plug(t)}}
	modeltest.Run(t, func(t testing.TB) model.Runner {
		r, err := Open(network(t, "tf2_mobilenet_v2_1.0_224_ptq"), o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	})
}

func TestPluginKeepsItsThread(t *testing.T) {
	o := DefaultOptions()
	o.Delegates = []External{{Library: plug(t)}}
	r := mustOpen(t, network(t, "tf2_mobilenet_v2_1.0_224_ptq"), o)
	if !r.Info().Ladder[0].Used {
		t.Fatal(ladder(r.Info()))
	}
	for range 20 { // from whatever thread the scheduler likes: the plug-in refuses any but its own
		done := make(chan error)
		go func() { done <- r.Invoke() }()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenerTriesThePluginOnce(t *testing.T) {
	o := DefaultOptions()
	o.Delegates = []External{{Library: "/nowhere/libplug.so"}}
	open := Opener(network(t, "face_detection_short_range"), o)
	var infos []string
	for range 3 {
		r, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		infos = append(infos, ladder(r.Info()))
	}
	const want = "external:/nowhere/libplug.so no such file | xnnpack+qs8+qu8 runs"
	for _, i := range infos {
		if i != want {
			t.Errorf("ladder %s, want %s", i, want)
		}
	}
	bad := Opener("/nowhere/x.tflite", o)
	for range 2 {
		if _, err := bad(); err == nil {
			t.Error("a missing file was opened")
		}
	}
}

func TestFind(t *testing.T) {
	good, broken := plug(t), plug(t, "-DCRASH_AT_LOAD")
	o := DefaultOptions()
	o.Delegates = []External{{Library: good}, {Library: broken}, {Library: good, Options: []Option{{"do", "fail"}}}, {Library: "/nowhere/libedgetpu.so.1"}}
	found := Find(o)
	for i, want := range []string{
		good + " ready=true present=true ",
		broken + " ready=false present=true crashed while loading: signal: segmentation fault",
		good + " ready=false present=true made no delegate: no device is plugged in",
		"/nowhere/libedgetpu.so.1 ready=false present=false no such file",
	} {
		d := found[i]
		if got := fmt.Sprintf("%s ready=%v present=%v %s", d.Library, d.Ready, d.Present, d.Reason); got != want {
			t.Errorf("found:\n%s\nwant:\n%s", got, want)
		}
	}
	for _, d := range found[4:] { // those known by name, as this machine has them
		if d.Ready == (d.Reason != "") || d.Ready == (d.Hint != "") || d.Device == "" || d.Library == "libedgetpu.so.1" {
			t.Errorf("%+v", d)
		}
	}
	if len(found) != 4+len(known)-1 {
		t.Errorf("%d found", len(found))
	}
}

// TestWithoutProbeChild is a program whose main forgot ProbeChild: it must not become its own second daemon.
func TestWithoutProbeChild(t *testing.T) {
	probeable.Store(false)
	defer probeable.Store(true)
	o := DefaultOptions()
	o.Delegates = []External{{Library: plug(t, "-DCRASH_AT_LOAD")}}
	r := mustOpen(t, network(t, "face_detection_short_range"), o)
	const want = "cannot be tried safely: this program does not call tflite.ProbeChild"
	if g := r.Info().Ladder; g[0].Reason != want || !g[1].Used {
		t.Errorf("ladder %s", ladder(r.Info()))
	}
	if d := Find(o)[0]; d.Ready || d.Reason != want {
		t.Errorf("found %+v", d)
	}
}

// FuzzListen reads what a child writes, or what a plug-in in it writes over that.
func FuzzListen(f *testing.F) {
	f.Add("loading\nmaking a delegate\n{\"reason\":\"no device\"}\n")
	f.Add("loading\n{\"xnnpack\":true,\"flags\":3}")
	f.Add("{")
	f.Add("\n\n\x00")
	f.Fuzz(func(t *testing.T, said string) {
		a, stage, answered := listen(strings.NewReader(said))
		if strings.Contains(stage, "\n") {
			t.Errorf("a stage of two lines: %q", stage)
		}
		if answered != (a != answer{}) && !strings.Contains(said, "{") {
			t.Errorf("an answer came from nowhere: %+v", a)
		}
	})
}
