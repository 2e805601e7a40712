//go:build cgo && !nonative

package tflite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"gleaner/internal/shared"
	"gleaner/model"
	"gleaner/model/modeltest"
)

func TestMain(m *testing.M) {
	if ProbeChild() {
		return
	}
	goleak.VerifyTestMain(m)
}

// network is a model file of the test material.
func network(t testing.TB, name string) string {
	t.Helper()
	return shared.Path(t, "models/models/"+name+".tflite")
}

func mustOpen(t testing.TB, path string, o Options) model.Runner {
	t.Helper()
	r, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestRunnerKeepsTheContract(t *testing.T) {
	plain := DefaultOptions()
	plain.NoXNNPACK = true
	for _, c := range []struct {
		name, file string
		o          Options
	}{
		{"float on xnnpack", "face_detection_short_range", DefaultOptions()},
		{"float on cpu", "face_detection_short_range", plain},
		{"dynamic range", "mobilenet_v2_035_96_embedder_with_metadata", DefaultOptions()},
		{"int8", "tf2_mobilenet_v2_1.0_224_ptq", DefaultOptions()},
		{"uint8", "mobilenet_v1_0.25_128_quant", DefaultOptions()},
	} {
		t.Run(c.name, func(t *testing.T) {
			modeltest.Run(t, func(t testing.TB) model.Runner {
				r, err := Open(network(t, c.file), c.o)
				if err != nil {
					t.Fatal(err)
				}
				return r
			})
		})
	}
}

// ladder writes a ladder as one line, so that a table can hold what is expected.
func ladder(i model.Info) string {
	var s []string
	for _, r := range i.Ladder {
		if r.Used {
			s = append(s, r.Name+" runs")
		} else {
			s = append(s, r.Name+" "+r.Reason)
		}
	}
	return strings.Join(s, " | ")
}

func TestLadder(t *testing.T) {
	const uint8Reason = "xnnpack+qs8+qu8 refused this model, whose weights are uint8: failed to delegate CONV_2D node #0 | xnnpack claims no operator of this model | cpu runs"
	for _, c := range []struct{ name, file, want string }{
		{"float", "face_detection_short_range", "xnnpack+qs8+qu8 runs"},
		{"float16 weights", "ssd_oidv4_fp16", "xnnpack+qs8+qu8 runs"},
		{"int8 weights", "mobilenet_v2_035_96_embedder_with_metadata", "xnnpack+qs8+qu8 runs"},
		{"int8", "tf2_mobilenet_v2_1.0_224_ptq", "xnnpack+qs8+qu8 runs"},
		{"uint8", "mobilenet_v2_1.0_224_quant", uint8Reason},
		{"uint8 with a custom operator", "coco_ssd_mobilenet_v1_quant", uint8Reason},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := mustOpen(t, network(t, c.file), DefaultOptions())
			if got := ladder(r.Info()); got != c.want {
				t.Errorf("ladder:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

// shape is how a file holds it: little-endian int32.
func shape(d ...int32) []byte {
	var b []byte
	for _, v := range d {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return b
}

func TestRefusesBadModels(t *testing.T) {
	whole, err := os.ReadFile(network(t, "face_detection_short_range"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	noise := make([]byte, 4096)
	for i := range noise {
		noise[i] = byte(i*i>>3 + i*7)
	}
	masked := append(append([]byte(nil), noise[:4]...), "TFL3"...)
	masked = append(masked, noise...)
	vast := bytes.Replace(whole, shape(1, 128, 128, 3), shape(1, 40000, 40000, 3), 1)
	void := bytes.Replace(whole, shape(1, 128, 128, 3), shape(1, 0, 0, 3), 1)
	if bytes.Equal(vast, whole) {
		t.Fatal("the network's input has another shape")
	}
	edge, double := network(t, "mobilenet_v1_0.25_128_quant_edgetpu"), network(t, "model_invoking_error")
	withPlug := DefaultOptions()
	withPlug.Delegates = []External{{Library: "/nowhere/libedgetpu.so.1"}}
	tooMany := DefaultOptions()
	tooMany.Threads = 1000
	noRung := DefaultOptions()
	noRung.Rung = "npu"
	for _, c := range []struct {
		name, path string
		o          Options
		want       string
	}{
		{"a rung that does not exist", edge, noRung, "cannot be run on npu: there is no such rung"},
		{"missing", dir + "/none.tflite", DefaultOptions(), "cannot be read: no such file or directory"},
		{"a folder", dir, DefaultOptions(), "cannot be read: is a directory"},
		{"empty", file("empty.tflite", nil), DefaultOptions(), "is unusable"},
		{"random", file("random.tflite", noise), DefaultOptions(), "is unusable"},
		{"random behind the identifier", file("masked.tflite", masked), DefaultOptions(), "is unusable"},
		{"truncated", file("half.tflite", whole[:len(whole)/2]), DefaultOptions(), "is unusable"},
		{"an input of 19 GB", file("vast.tflite", vast), DefaultOptions(), "cannot be run: it crashed while taking the model: signal: aborted: the file is probably damaged"},
		{"an input of nothing", file("void.tflite", void), DefaultOptions(), "cannot be run: it cannot be used, since its input 0 (input) has no memory"},
		{"Korean name", file("없음.tflite", noise), DefaultOptions(), "없음.tflite is unusable"},
		{"for the EdgeTPU", edge, DefaultOptions(), "needs the operator edgetpu-custom-op, which the EdgeTPU delegate provides: install libedgetpu1-std and set delegates"},
		{"for the EdgeTPU, whose plug-in is missing", edge, withPlug, "needs the operator edgetpu-custom-op, which the EdgeTPU delegate provides: /nowhere/libedgetpu.so.1 no such file"},
		{"an unknown operator", double, DefaultOptions(), "needs the operator fake-op-double"},
		{"too many threads", edge, tooMany, "cannot be run with 1000 threads"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Open(c.path, c.o)
			if err == nil {
				r.Close()
				t.Fatal("it was opened")
			}
			var e *Error
			if !errors.As(err, &e) || e.Path != c.path {
				t.Errorf("no *Error with the path: %#v", err)
			}
			if s := err.Error(); !strings.Contains(s, c.want) || strings.Contains(s, "\n") || strings.Count(s, c.path) != 1 {
				t.Errorf("message:\n%s\nwant in it, in one line, with the path once:\n%s", s, c.want)
			}
		})
	}
}

// TestSurvivesAlteredModels gives files to Open whose structure was altered at random: whatever becomes of them, this
// process goes on.
func TestSurvivesAlteredModels(t *testing.T) {
	whole, err := os.ReadFile(network(t, "face_detection_short_range"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "altered.tflite")
	counts := map[string]int{}
	x := uint32(7)
	next := func(n int) int { x = x*1664525 + 1013904223; return int(x>>8) % n }
	for range 60 {
		b := append([]byte(nil), whole...)
		for range 1 + next(4) {
			b[len(b)-1-next(40000)] ^= 1 << next(8) // this file's tensors and operators stand at its end
		}
		os.WriteFile(path, b, 0o600)
		r, err := Open(path, DefaultOptions())
		switch {
		case err == nil:
			counts["runs"]++
			r.Close()
		case strings.Contains(err.Error(), "crashed"):
			counts["crashed in the child"]++
		case strings.Contains(err.Error(), "is unusable"):
			counts["refused by structure"]++
		default:
			counts["refused by TensorFlow Lite"]++
		}
	}
	t.Log(counts)
	if len(counts) < 2 {
		t.Error("all files met the same end: the alterations prove nothing")
	}
}

func TestVersion(t *testing.T) {
	if v := Version(); !strings.HasPrefix(v, "2.") {
		t.Error(v)
	}
}

// TestOpeningAndClosingLeavesNothing looks at the memory and the files of the process, which hold what native code
// leaves behind.
func TestOpeningAndClosingLeavesNothing(t *testing.T) {
	o := DefaultOptions()
	o.SHA256 = strings.Repeat("0", 64) // not looked at; it spares the children
	withPlug := o
	withPlug.Delegates = []External{{Library: plug(t)}}
	for _, c := range []struct {
		name, file string
		o          Options
		rounds     int
	}{
		{"xnnpack", "face_detection_short_range", o, 60},
		{"refused by xnnpack", "mobilenet_v1_0.25_128_quant", o, 60},
		{"nothing runs", "model_invoking_error", o, 200},
		{"plug-in", "mobilenet_v1_0.25_128_quant", withPlug, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			round := func() {
				if r, err := Open(network(t, c.file), c.o); err == nil {
					r.Close()
				}
			}
			for range 5 {
				round()
			}
			// What leaks does so in each series; memory that the allocator or the collector takes once does not.
			perRound := math.Inf(1)
			for series := 0; series < 3 && perRound > 50e3; series++ {
				rss, files := resident(t)
				for range c.rounds {
					round()
				}
				rssAfter, filesAfter := resident(t)
				perRound = float64(rssAfter-rss) / float64(c.rounds)
				t.Logf("%.0f bytes a round, %d files", perRound, filesAfter-files)
				if filesAfter != files {
					t.Errorf("%d files stay open", filesAfter-files)
				}
			}
			if perRound > 50e3 {
				t.Errorf("%.0f bytes stay behind each time", perRound)
			}
		})
	}
}

// resident is the process's memory in bytes and the number of its open files.
func resident(t *testing.T) (memory, files int) {
	t.Helper()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm") // see proc(5)
	if err != nil {
		t.Skip("no /proc here")
	}
	pages, _ := strconv.Atoi(strings.Fields(string(b))[1])
	open, _ := os.ReadDir("/proc/self/fd")
	return pages * os.Getpagesize(), len(open)
}

// BenchmarkInvoke is the way from Go to the runtime and back, around the smallest network at hand; compare the plain
// kernels' own time in prove/1-ladder.
func BenchmarkInvoke(b *testing.B) {
	r := mustOpen(b, network(b, "face_detection_short_range"), DefaultOptions())
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Invoke(); err != nil {
			b.Fatal(err)
		}
	}
}

func TestReasons(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{loadError("libx.so", "libx.so: cannot open shared object file: No such file or directory").Error(), "no such file"},
		{loadError("libx.so", "libx.so: cannot open shared object file: Permission denied").Error(), "cannot be loaded: libx.so: cannot open shared object file: Permission denied"},
		{loadError("libx.so", "liby.so.1: cannot open shared object file: No such file or directory").Error(), "needs liby.so.1, which is not installed"},
		{loadError("libx.so", "/a/libx.so: undefined symbol:\n f").Error(), "cannot be loaded: /a/libx.so: undefined symbol: f"},
		{customOp("cannot be prepared: Encountered unresolved custom op: Foo. See instructions: x"), "Foo"},
		{customOp("Encountered unresolved custom op: Foo.; Node number 0"), "Foo"},
		{customOp("Encountered unresolved custom op: Foo."), "Foo"},
		{customOp("Node number 0 failed"), ""},
		{refusal("a; b", false).Error(), "refused this model: a"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	e := &Error{Path: "m.tflite", What: "is unusable", Hint: "fetch it again", Err: os.ErrNotExist}
	if e.Error() != "model m.tflite is unusable: fetch it again" || !errors.Is(e, os.ErrNotExist) {
		t.Error(e)
	}
}
