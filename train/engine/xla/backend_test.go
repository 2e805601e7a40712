//go:build cgo && !nonative

package xla_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gomlx/go-xla/pkg/pjrt"

	"gleaner/train/engine"
	"gleaner/train/engine/enginetest"
	"gleaner/train/engine/xla"
	"gleaner/train/engine/xla/hlotest"
)

func TestMain(m *testing.M) {
	xla.ProbeChild()
	os.Exit(m.Run())
}

// plugin builds testdata/plugin against go-xla's header.
func plugin(t *testing.T) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/gomlx/go-xla").Output()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pjrt_c_api_cuda_plugin.so")
	cc := exec.Command("cc", "-shared", "-fPIC", "-O1", "-I", filepath.Join(strings.TrimSpace(string(dir)), "pkg", "pjrt"),
		"-o", file, filepath.Join("testdata", "plugin", "plugin.c"))
	if out, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// device answers the plug-in: it compiles and runs with hlotest.
type device struct {
	in   io.Reader
	out  io.Writer
	fail atomic.Bool // the next run fails
}

// newDevice makes the pipes to the plug-in, and answers until the test ends.
func newDevice(t *testing.T) *device {
	t.Helper()
	fromPlugin, toUs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	toPlugin, fromUs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("FAKE_PJRT", fmt.Sprintf("%d,%d", toPlugin.Fd(), toUs.Fd()))
	d := &device{in: fromPlugin, out: fromUs}
	done := make(chan error, 1)
	go func() { done <- d.serve() }()
	t.Cleanup(func() {
		toUs.Close()
		if err := <-done; err != nil && err != io.EOF {
			t.Error(err)
		}
		for _, f := range []*os.File{fromPlugin, toPlugin, fromUs} {
			f.Close()
		}
	})
	return d
}

func (d *device) number() (n int64, err error) {
	err = binary.Read(d.in, binary.NativeEndian, &n)
	return n, err
}

func (d *device) say(x ...any) error {
	for _, v := range x {
		if err := binary.Write(d.out, binary.NativeEndian, v); err != nil {
			return err
		}
	}
	return nil
}

func (d *device) refuse(err error) error {
	return d.say(int64(-len(err.Error())), []byte(err.Error()))
}

func (d *device) serve() error {
	var programs []*hlotest.Program
	for {
		what := make([]byte, 1)
		if _, err := io.ReadFull(d.in, what); err != nil {
			return err
		}
		n, err := d.number()
		if err != nil {
			return err
		}
		if what[0] == 'E' {
			if err := d.execute(programs[n]); err != nil {
				return err
			}
			continue
		}
		text := make([]byte, n)
		if _, err := io.ReadFull(d.in, text); err != nil {
			return err
		}
		p, err := hlotest.Parse(text)
		if err != nil {
			err = d.refuse(err)
		} else {
			programs = append(programs, p)
			err = d.say(int64(len(programs)-1), int64(len(p.Results())))
		}
		if err != nil {
			return err
		}
	}
}

func (d *device) execute(p *hlotest.Program) error {
	n, err := d.number()
	if err != nil {
		return err
	}
	args := make([][]float32, n)
	for i := range args {
		size, err := d.number()
		if err != nil {
			return err
		}
		args[i] = make([]float32, size/4)
		if err := binary.Read(d.in, binary.NativeEndian, args[i]); err != nil {
			return err
		}
	}
	results, err := p.Run(args)
	if d.fail.Load() {
		err = fmt.Errorf("the card is out of memory")
	}
	if err != nil {
		return d.refuse(err)
	}
	if err := d.say(int64(0)); err != nil {
		return err
	}
	for i, r := range results {
		shape := p.Results()[i]
		dims := make([]int64, len(shape))
		for k, x := range shape {
			dims[k] = int64(x)
		}
		if err := d.say(int64(len(dims)), dims, r); err != nil {
			return err
		}
	}
	return nil
}

// TestRunner holds the backend to the engine's contract, through PJRT's C interface: variables are donated, live on the device and
// are shared, two runs are under way, and at the end nothing is left.
func TestRunner(t *testing.T) {
	file := plugin(t)
	if _, err := xla.Open(xla.Options{Plugin: file}); err == nil || !strings.Contains(err.Error(), "no card is in this machine") || strings.Contains(err.Error(), "\n") {
		t.Errorf("without a card the error is %v", err)
	}
	if _, err := xla.Probe(context.Background(), file); err == nil || !strings.Contains(err.Error(), "no card is in this machine") {
		t.Errorf("a child without a card says %v", err)
	}
	d := newDevice(t)
	if list, err := xla.Probe(context.Background(), file); err != nil || len(list) != 1 || list[0].Name != "fake a card of the tests" {
		t.Errorf("a child says %v, %v", list, err)
	}
	before := pjrt.BuffersAlive()
	b, err := xla.Open(xla.Options{Plugin: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("conforms", func(t *testing.T) { enginetest.Conform(t, b, 1e-4) })
	t.Run("a failed run ends it", func(t *testing.T) { failsOnce(t, b, d) })
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if left := pjrt.BuffersAlive() - before; left != 0 {
		t.Errorf("%d buffers are left", left)
	}
	if _, err := b.Compile(&engine.Program{}); err == nil {
		t.Error("a closed backend compiles")
	}
}

// failsOnce: after a failed run its variables are gone, and every call says so.
func failsOnce(t *testing.T, b engine.Backend, d *device) {
	c, ok := enginetest.Find("training, sgd")
	if !ok {
		t.Fatal("the case is gone")
	}
	n, err := c.Net()
	if err != nil {
		t.Fatal(err)
	}
	if err := enginetest.Load(n, b); err != nil {
		t.Fatal(err)
	}
	r, err := b.Compile(n.Program)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	d.fail.Store(true)
	defer d.fail.Store(false)
	if err := engine.Run(r, n.Runs[0], nil); err == nil || !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("the error is %v", err)
	}
	v := n.Program.Vars()[0]
	if err := b.Read(v, make([]float32, v.Shape.Size())); err == nil || !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("reading a variable then gives %v", err)
	}
}
