// Command 1-ladder proves the delegate ladder: each rung runs or is refused, with its reason, on float, float16, int8 and
// uint8 networks; what runs computes what the plain kernels compute; and a plug-in that is missing, crashes, hangs or
// claims nothing leaves the rungs below to run. It compiles its plug-in from model/tflite/testdata/plug. Beside the count
// it prints the time of each network on each rung and the memory of one more interpreter; those carry no bar.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"gleaner/internal/shared"
	"gleaner/model"
	"gleaner/model/tflite"
)

func main() {
	if tflite.ProbeChild() {
		return
	}
	if len(os.Args) == 4 && os.Args[1] == costArg {
		if err := cost(os.Args[2], os.Args[3]); err != nil {
			fmt.Println(err)
		}
		return
	}
	right, all, err := prove()
	if err != nil {
		fmt.Printf("FIGURE none: %v BAR every case right FAIL\n", err)
		os.Exit(1)
	}
	word := "PASS"
	if right != all {
		word = "FAIL"
	}
	fmt.Printf("FIGURE %d of %d cases right BAR all of them %s\n", right, all, word)
	if word != "PASS" {
		os.Exit(1)
	}
}

func prove() (right, all int, err error) {
	root := shared.Root()
	if root == "" {
		return 0, 0, fmt.Errorf("the test material is absent: set GLEANER_SHARED")
	}
	dir, err := os.MkdirTemp("", "ladder")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	cases, err := allCases(filepath.Join(root, "models", "models"), dir)
	if err != nil {
		return 0, 0, err
	}
	for _, c := range cases {
		got := c.run()
		mark := "ok   "
		if strings.HasPrefix(got, c.want) {
			right++
		} else {
			mark = "WRONG"
		}
		fmt.Printf("%s %-52s %s\n", mark, c.name, got)
		if mark != "ok   " {
			fmt.Printf("      %-52s %s\n", "  wanted", c.want)
		}
	}
	measure(filepath.Join(root, "models", "models"))
	return right, len(cases), nil
}

// tested is a network with what is expected of each rung below plug-ins, top to bottom.
type tested struct {
	kind, file    string
	top, mid, low string
	op            string // the operator that the plug-in claims of it
}

const (
	runs   = "runs"
	refuse = "refused this model, whose weights are uint8: failed to delegate CONV_2D node #0"
	none   = "claims no operator of this model"
)

var networks = []tested{
	{"float, face short", "face_detection_short_range", runs, runs, runs, "0"},
	{"float16, ssd oidv4", "ssd_oidv4_fp16", runs, runs, runs, "0"},
	{"int8 weights, embedder", "mobilenet_v2_035_96_embedder_with_metadata", runs, runs, runs, "0"},
	{"int8, mobilenet v2", "tf2_mobilenet_v2_1.0_224_ptq", runs, none, runs, "25"},
	{"uint8, mobilenet v2", "mobilenet_v2_1.0_224_quant", refuse, none, runs, "25"},
	{"uint8, coco ssd", "coco_ssd_mobilenet_v1_quant", refuse, none, runs, ""},
}

// oneCase is one network on one set of options; want begins what the rung at the top is to say.
type oneCase struct {
	name, path string
	o          tflite.Options
	want       string
	rung       int // which rung of the ladder is asked, from the top
}

// run opens the network and says what became of the rung: "runs" if its outputs are those of the plain kernels too,
// otherwise the reason, or the error of Open after "error: ".
func (c oneCase) run() string {
	r, err := tflite.Open(c.path, c.o)
	if err != nil {
		return "error: " + err.Error()
	}
	defer r.Close()
	ladder := r.Info().Ladder
	if c.rung >= len(ladder) {
		return "was not tried"
	}
	g := ladder[c.rung]
	if !g.Used {
		if last := ladder[len(ladder)-1]; !last.Used {
			return "nothing runs"
		}
		return g.Reason
	}
	d, err := difference(c.path, r)
	switch {
	case err != nil:
		return "computes nothing: " + err.Error()
	case d > tolerance(c.name):
		return fmt.Sprintf("computes something else: off by %.5f", d)
	case g.Of > 0:
		return fmt.Sprintf("runs, %d of %d operators, rest %s, off by %.5f", g.Claimed, g.Of, orPlain(g), d)
	}
	return fmt.Sprintf("runs, all operators, off by %.5f", d)
}

func orPlain(g model.Rung) string {
	if g.Rest == "" {
		return "on the plain kernels"
	}
	return "on " + g.Rest
}

// allCases are every network on every rung, then the plug-in in all its states, then files that nothing can run.
func allCases(models, dir string) ([]oneCase, error) {
	path := func(file string) string { return filepath.Join(models, file+".tflite") }
	var cases []oneCase
	add := func(name, path string, o tflite.Options, want string, rung int) {
		cases = append(cases, oneCase{name, path, o, want, rung})
	}
	for _, n := range networks {
		for i, rung := range []string{"xnnpack+qs8+qu8", "xnnpack", "cpu"} {
			o := tflite.DefaultOptions()
			o.Rung = rung // alone, since the ladder stops at the first that runs
			want := []string{n.top, n.mid, n.low}[i]
			if want != runs {
				want = "error: model " + path(n.file) + " cannot be run: it " + want
			}
			add(n.kind+": "+rung+" alone", path(n.file), o, want, 0)
		}
		place, top := 0, n.top
		for i, w := range []string{n.top, n.mid, n.low} {
			if w == runs {
				place, top = i, w
				break
			}
			add(fmt.Sprintf("%s: rung %d of the ladder", n.kind, i+1), path(n.file), tflite.DefaultOptions(), w, i)
		}
		add(fmt.Sprintf("%s: rung %d of the ladder", n.kind, place+1), path(n.file), tflite.DefaultOptions(), top, place)
	}
	plug, err := compile(dir, "plug")
	if err != nil {
		return nil, err
	}
	for _, n := range networks {
		want := runs
		if n.op == "" {
			n.op, want = "25", none
		}
		add(n.kind+": plug-in", path(n.file), with(plug, "op", n.op), want, 0)
	}
	more, err := badPlugins(dir, plug, path("mobilenet_v1_0.25_128_quant"))
	if err != nil {
		return nil, err
	}
	cases = append(cases, more...)
	bad, err := badFiles(dir, path)
	return append(cases, bad...), err
}

// with is a plug-in with options, given as key, value, key, value.
func with(library string, kv ...string) tflite.Options {
	o := tflite.DefaultOptions()
	e := tflite.External{Library: library}
	for i := 0; i+1 < len(kv); i += 2 {
		e.Options = append(e.Options, tflite.Option{Key: kv[i], Value: kv[i+1]})
	}
	o.Delegates = []tflite.External{e}
	return o
}

// compile builds the test's plug-in.
func compile(dir, name string, flags ...string) (string, error) {
	out := filepath.Join(dir, "lib"+name+".so")
	args := append(strings.Fields(os.Getenv("CGO_CFLAGS")), "-shared", "-fPIC", "-o", out)
	args = append(append(args, flags...), "model/tflite/testdata/plug/plug.c", "-lm")
	if said, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("compile the plug-in: %w: %s", err, said)
	}
	return out, nil
}
