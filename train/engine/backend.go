package engine

import "fmt"

// Backend runs programs on one device. Its methods belong to one goroutine at a time.
type Backend interface {
	// Name is what the user chose it by, such as cpu or cuda.
	Name() string
	// Compile makes a program ready to run. Variables that another program of this backend has already are shared; new ones
	// begin as zeros.
	Compile(p *Program) (Runner, error)
	// Write sets a variable's value, row-major; Read copies it out. The slice must have the variable's size.
	Write(v *Var, data []float32) error
	Read(v *Var, data []float32) error
	// Close frees everything; no Runner may be used afterwards.
	Close() error
}

// Runner is a compiled program. Its methods belong to one goroutine, the backend's.
type Runner interface {
	// Start begins a run on the inputs, in the order of Program.Inputs. The slices may be used again when it returns. At
	// most two runs may be under way: a device copies the next batch while it works on the last one.
	Start(in [][]float32) error
	// Finish waits for the oldest run under way and copies its outputs, in the order of Program.Outputs; a nil slice is
	// left out. When the loss of a training program, its first output, is not finite, no variable has changed, and outputs
	// of the update phase (the gradients' norm) mean nothing.
	Finish(out [][]float32) error
	// Memory is the size of the values between the steps in bytes, as planned and as it would be without a plan.
	Memory() (planned, naive int64)
	// Close frees what the runner holds; the variables stay.
	Close() error
}

// Tracer is a Runner that can show what each step makes. CPU backends are.
type Tracer interface {
	// Trace runs Steps[:Update] on the inputs and calls f with each result that a step makes. data is valid during the call.
	Trace(in [][]float32, f func(s *Step, v *Value, data []float32)) error
}

// Run starts a run and waits for it.
func Run(r Runner, in, out [][]float32) error {
	if err := r.Start(in); err != nil {
		return err
	}
	return r.Finish(out)
}

// CheckInputs tells whether inputs have the sizes that the program wants.
func (p *Program) CheckInputs(in [][]float32) error {
	if len(in) != len(p.Inputs) {
		return fmt.Errorf("the program takes %d inputs, not %d", len(p.Inputs), len(in))
	}
	for i, v := range p.Inputs {
		if len(in[i]) != v.Shape.Size() {
			return fmt.Errorf("input %s takes %d numbers, %v, not %d", v.Input, v.Shape.Size(), v.Shape, len(in[i]))
		}
	}
	return nil
}

// Hash is the randomness of dropout: a number in [0, 1) with 24 bits for element i of a layer's seed at a step, by the
// finaliser of MurmurHash3 (Appleby 2011), so that every backend leaves out the same elements.
func Hash(i, seed, step uint32) float32 {
	return float32(mix(i^mix(step*0x9E3779B9+seed))>>8) * (1.0 / (1 << 24))
}

func mix(h uint32) uint32 {
	h ^= h >> 16
	h *= 0x85EBCA6B
	h ^= h >> 13
	h *= 0xC2B2AE35
	return h ^ h>>16
}
