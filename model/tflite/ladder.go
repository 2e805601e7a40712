//go:build cgo && !nonative

package tflite

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"gleaner/model"
)

// Open reads the network and gives a Runner on the highest rung that works; its Info tells the ladder. It computes once
// on zeros, so that what would fail on the first frame fails here. The error is an *Error. The file must not change
// while the Runner lives, since it is mapped: replace a model by renaming another over it.
func Open(path string, o Options) (model.Runner, error) {
	r, _, err := open(path, o)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Opener gives the function that model.NewPool wants: the first call is Open, and later calls take the rung that the
// first one found, so that a plug-in is tried once. It may not be called from two goroutines at once.
func Opener(path string, o Options) func() (model.Runner, error) {
	var once sync.Once
	var found step
	var info model.Info
	return func() (model.Runner, error) {
		var first model.Runner
		var err error
		once.Do(func() { // a first call that fails is the last: a Pool needs its first Runner
			var r model.Runner
			if r, found, err = open(path, o); err == nil {
				first, info = r, r.Info()
			}
		})
		if first != nil || err != nil {
			return first, err
		}
		if info.SHA256 == "" {
			return nil, &Error{Path: path, What: "could not be opened before"}
		}
		c, err := check(path, o)
		if err != nil {
			return nil, err
		}
		if c.sum != info.SHA256 {
			return nil, &Error{Path: path, What: "has changed since it was opened first"}
		}
		r, _, err := start(c, found, o.Threads)
		if err != nil {
			return nil, &Error{Path: path, What: "cannot be run once more on " + found.name + ": " + err.Error(), Err: err}
		}
		r.setInfo(info)
		return r, nil
	}
}

// validate says which option is out of its range.
func (o Options) validate(path string) error {
	switch {
	case o.Threads < 1 || o.Threads > 64:
		return &Error{Path: path, What: fmt.Sprintf("cannot be run with %d threads", o.Threads), Hint: "1 to 64 are possible"}
	case len(steps(o)) == 0:
		return &Error{Path: path, What: "cannot be run on " + o.Rung, Hint: "there is no such rung"}
	case o.ProbeTimeout <= 0 || o.ProbeTimeout > time.Hour:
		return &Error{Path: path, What: fmt.Sprintf("cannot be tried for %v", o.ProbeTimeout), Hint: "probe_timeout must be above 0 and at most 1h"}
	}
	return nil
}

// startable is a Runner whose Info is still to be filled in.
type startable interface {
	model.Runner
	setInfo(model.Info)
}

// step is one rung to try. A plug-in's has XNNPACK behind it, for what the plug-in leaves.
type step struct {
	name     string
	external *External
	xnnpack  bool
	flags    uint32
}

// rest names what computes what a plug-in leaves, as in model.Rung.Rest.
func (s step) rest() string {
	switch {
	case s.external == nil || !s.xnnpack:
		return ""
	case s.flags == 0:
		return nameXNNPACK
	}
	return nameXNNPACK8
}

const (
	nameXNNPACK8 = "xnnpack+qs8+qu8"
	nameXNNPACK  = "xnnpack"
	nameCPU      = "cpu"
)

func steps(o Options) []step {
	var s []step
	for i := range o.Delegates {
		s = append(s, step{name: "external:" + o.Delegates[i].Library, external: &o.Delegates[i]})
	}
	if !o.NoXNNPACK {
		s = append(s, step{name: nameXNNPACK8, xnnpack: true, flags: flagQS8 | flagQU8}, step{name: nameXNNPACK, xnnpack: true})
	}
	s = append(s, step{name: nameCPU})
	if o.Rung != "" {
		s = slices.DeleteFunc(s, func(s step) bool { return s.name != o.Rung })
	}
	return s
}

// behind are the forms of a plug-in's step to try: XNNPACK refuses some networks whole, also where the plug-in would
// have taken what it does not like.
func (s step) behind(o Options) []step {
	with8, with, without := s, s, s
	with8.xnnpack, with8.flags = true, flagQS8|flagQU8
	with.xnnpack = true
	if o.NoXNNPACK {
		return []step{without}
	}
	return []step{with8, with, without}
}

// open walks the ladder.
func open(path string, o Options) (startable, step, error) {
	if err := o.validate(path); err != nil {
		return nil, step{}, err
	}
	c, err := check(path, o)
	if err != nil {
		return nil, step{}, err
	}
	if o.SHA256 == "" && canProbe() {
		// Nobody vouches for the file, and TensorFlow Lite does not survive every file: let a child go first.
		if err := tryFile(c, o); err != nil {
			return nil, step{}, err
		}
	}
	info := model.Info{SHA256: c.sum}
	for _, s := range steps(o) {
		r, s, claims, err := try(c, s, o)
		if err == nil {
			info.Delegate = s.name
			info.Ladder = append(info.Ladder, model.Rung{Name: s.name, Used: true, Claimed: claims.n, Of: claims.of, Rest: s.rest()})
			r.setInfo(info)
			return r, s, nil
		}
		info.Ladder = append(info.Ladder, model.Rung{Name: s.name, Reason: err.Error()})
		if op := customOp(err.Error()); op != "" && s.external == nil {
			return nil, s, lacksOp(path, op, info.Ladder, err)
		}
	}
	last := info.Ladder[len(info.Ladder)-1].Reason
	return nil, step{}, &Error{Path: path, What: "cannot be run: it " + last, Err: errors.New(last)}
}

// try starts one rung. A plug-in goes to a child process first, which finds out what can stand behind it.
func try(c *checked, s step, o Options) (startable, step, claims, error) {
	if s.external != nil {
		var err error
		if s, err = tryPlugin(c, s, o); err != nil {
			return nil, s, claims{}, err
		}
	}
	r, n, err := start(c, s, o.Threads)
	return r, s, n, err
}

// start makes a Runner on one rung. A plug-in may demand that all calls come from the thread that made it, as the GPU
// delegate does on OpenGL, so its Runner gets a thread of its own.
func start(c *checked, s step, threads int) (startable, claims, error) {
	if s.external != nil {
		return startBound(c, s, threads)
	}
	r, err := build(c, s, threads, func(string) {})
	if err != nil {
		return nil, claims{}, err
	}
	return r, r.claims, nil
}
