package modeltest

import (
	"bytes"
	"math"
	"testing"

	"gleaner/model"
)

// Run checks that what open gives keeps the contract of model.Runner. open is called several times and must give a
// new Runner of the same network each time; Run closes them.
func Run(t *testing.T, open func(testing.TB) model.Runner) {
	t.Run("tensors are described fully", func(t *testing.T) {
		r := open(t)
		defer r.Close()
		described(t, "input", r.Inputs())
		described(t, "output", r.Outputs())
	})
	t.Run("info names the one rung that runs", func(t *testing.T) {
		r := open(t)
		defer r.Close()
		informed(t, r.Info())
	})
	t.Run("outputs follow inputs", func(t *testing.T) {
		r := open(t)
		defer r.Close()
		first := compute(t, r, 1)
		second := compute(t, r, 2)
		again := compute(t, r, 1)
		if bytes.Equal(first, second) {
			t.Error("other inputs gave the same outputs")
		}
		if !bytes.Equal(first, again) {
			t.Error("the same inputs gave other outputs")
		}
	})
	t.Run("two runners share nothing that is written", func(t *testing.T) {
		a, b := open(t), open(t)
		defer a.Close()
		defer b.Close()
		want := compute(t, a, 4)
		compute(t, b, 5)
		if !bytes.Equal(want, outputs(a)) {
			t.Error("computing on one runner changed the other's outputs")
		}
	})
	steady(t, open)
	t.Run("close ends it", func(t *testing.T) {
		r := open(t)
		for range 2 {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		if r.Invoke() == nil {
			t.Error("a closed runner computes")
		}
	})
}

// steady is what holds while a Runner is at work.
func steady(t *testing.T, open func(testing.TB) model.Runner) {
	t.Run("memory stays where it is", func(t *testing.T) {
		r := open(t)
		defer r.Close()
		before := places(r)
		compute(t, r, 3)
		for i, p := range places(r) {
			if p != before[i] {
				t.Errorf("tensor %d moved", i)
			}
		}
	})
	t.Run("invoke allocates nothing", func(t *testing.T) {
		r := open(t)
		defer r.Close()
		if n := testing.AllocsPerRun(5, func() { _ = r.Invoke() }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

func described(t *testing.T, what string, tensors []model.Tensor) {
	t.Helper()
	if len(tensors) == 0 {
		t.Errorf("there is no %s", what)
	}
	for i, x := range tensors {
		n := Size(x.Type)
		for _, d := range x.Shape {
			if d < 1 {
				t.Errorf("%s %d: shape %v", what, i, x.Shape)
			}
			n *= d
		}
		if n == 0 || len(x.Data) != n {
			t.Errorf("%s %d: %d bytes of memory for type %d and shape %v", what, i, len(x.Data), x.Type, x.Shape)
		}
		quantised := x.Type == model.Int8 || x.Type == model.UInt8
		if quantised != (x.Scale > 0) {
			t.Errorf("%s %d: scale %v for type %d", what, i, x.Scale, x.Type)
		}
	}
}

func informed(t *testing.T, info model.Info) {
	t.Helper()
	if len(info.SHA256) != 64 {
		t.Errorf("sha256 is %q", info.SHA256)
	}
	for i, g := range info.Ladder {
		last := i == len(info.Ladder)-1
		switch {
		case g.Used != last:
			t.Errorf("rung %d of %d: used is %v", i, len(info.Ladder), g.Used)
		case g.Used && g.Name != info.Delegate:
			t.Errorf("%q runs, but the delegate is %q", g.Name, info.Delegate)
		case !g.Used && g.Reason == "":
			t.Errorf("rung %q was refused without a reason", g.Name)
		}
	}
	if len(info.Ladder) == 0 {
		t.Error("the ladder is empty")
	}
}

// compute fills the inputs with noise from a seed, computes and copies the outputs.
func compute(t *testing.T, r model.Runner, seed uint64) []byte {
	t.Helper()
	for _, in := range r.Inputs() {
		fill(in, &seed)
	}
	if err := r.Invoke(); err != nil {
		t.Fatal(err)
	}
	for i, out := range r.Outputs() {
		if out.Type != model.Float32 {
			continue
		}
		for at := 0; at+4 <= len(out.Data); at += 4 {
			b := out.Data[at : at+4]
			v := math.Float32frombits(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24)
			if v != v || math.IsInf(float64(v), 0) {
				t.Fatalf("output %d holds %v at %d", i, v, at/4)
			}
		}
	}
	return outputs(r)
}

func outputs(r model.Runner) []byte {
	var all []byte
	for _, out := range r.Outputs() {
		all = append(all, out.Data...)
	}
	return all
}

func places(r model.Runner) []*byte {
	var p []*byte
	for _, x := range append(append([]model.Tensor(nil), r.Inputs()...), r.Outputs()...) {
		p = append(p, &x.Data[0])
	}
	return p
}
