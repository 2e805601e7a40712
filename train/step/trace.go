package step

import (
	"slices"

	"gleaner/train/engine"
	"gleaner/train/engine/ref"
	"gleaner/train/net"
)

// FirstNotFinite runs a program of a backend again with the variables as they are, and finds the first layer whose numbers are not
// finite: on the backend itself if that can show them, else in plain Go. Both texts are empty where none was found.
func FirstNotFinite(b engine.Backend, p *engine.Program, run engine.Runner, in [][]float32) (what, layer string) {
	for _, v := range p.Vars() {
		d := make([]float32, v.Shape.Size())
		if b.Read(v, d) == nil && slices.ContainsFunc(d, notFinite) {
			return "the values of", v.Name
		}
	}
	tracer, ok := run.(engine.Tracer)
	if !ok {
		cpu := ref.New[float32]()
		defer cpu.Close()
		again, err := cpu.Compile(p)
		if err != nil {
			return "", ""
		}
		defer again.Close()
		if tracer, ok = again.(engine.Tracer); !ok || copyVars(b, cpu, p.Vars()) != nil {
			return "", ""
		}
	}
	_ = tracer.Trace(in, func(s *engine.Step, _ *engine.Value, data []float32) {
		if layer != "" || !slices.ContainsFunc(data, notFinite) {
			return
		}
		what, layer = "the activations of", "layer "+s.Op.Layer
		if s.Op.Of != nil {
			what = "the gradients of"
		}
	})
	return what, layer
}

func notFinite(v float32) bool { return v-v != 0 }

func copyVars(from, to engine.Backend, vars []*engine.Var) error {
	w, err := net.Save(from, vars)
	for _, v := range vars {
		if err == nil {
			err = to.Write(v, w[v.Name])
		}
	}
	return err
}
