//go:build cgo && !nonative

package tflite

// #include <stdlib.h>
// #include "glue.h"
import "C"

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"unsafe"

	tfl "github.com/mattn/go-tflite"

	"gleaner/model"
)

// Open reads the network and gives a Runner on the highest rung that works; its Info tells the ladder. The error is an
// *Error. The file must not change while the Runner lives, since it is mapped: replace a model by renaming another
// over it.
func Open(path string, o Options) (model.Runner, error) {
	sum, err := check(path)
	if err != nil {
		return nil, err
	}
	var ladder []model.Rung
	var last error
	for _, s := range steps(o) {
		r, err := build(path, s, o.Threads)
		if err == nil {
			ladder = append(ladder, model.Rung{Name: s.name, Used: true})
			r.info = model.Info{Delegate: s.name, Ladder: ladder, SHA256: sum}
			return r, nil
		}
		ladder = append(ladder, model.Rung{Name: s.name, Reason: err.Error()})
		last = err
	}
	return nil, &Error{Path: path, What: "cannot be run: " + last.Error(), Err: last}
}

// step is one rung to try.
type step struct {
	name     string
	external *External
	xnnpack  bool
	flags    uint32
}

func steps(o Options) []step {
	var s []step
	for i, e := range o.Delegates {
		s = append(s, step{name: "external:" + e.Library, external: &o.Delegates[i]})
	}
	if !o.NoXNNPACK {
		s = append(s, step{name: "xnnpack+qs8+qu8", xnnpack: true, flags: flagQS8 | flagQU8}, step{name: "xnnpack", xnnpack: true})
	}
	return append(s, step{name: "cpu"})
}

var errNoClaim = errors.New("claims no operator of this model")

// build makes a Runner on one rung and computes once, on zeros: what fails on the first frame fails here, and memory
// that is only settled by computing is settled.
func build(path string, s step, threads int) (_ *runner, err error) {
	r := &runner{path: path}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	switch {
	case s.external != nil:
		r.delegate, err = newExternal(*s.external)
	case s.xnnpack:
		r.delegate, err = newXNNPACK(threads, s.flags)
	}
	if err != nil {
		return nil, err
	}
	if r.model = tfl.NewModelFromFile(path); r.model == nil {
		return nil, errors.New("TensorFlow Lite cannot read it")
	}
	r.log = (*C.gl_log)(C.calloc(1, C.sizeof_gl_log))
	o := tfl.NewInterpreterOptions()
	defer o.Delete()
	o.SetNumThread(threads)
	C.gl_log_attach(*(**C.TfLiteInterpreterOptions)(unsafe.Pointer(o)), r.log)
	if r.delegate != nil {
		o.AddDelegate(r.delegate)
	}
	if r.interp = tfl.NewInterpreter(r.model, o); r.interp == nil {
		return nil, errors.New("refused: " + r.said())
	}
	if r.delegate != nil {
		if n, _ := r.delegate.claimed(); n == 0 {
			return nil, errNoClaim
		}
	}
	if r.interp.AllocateTensors() != tfl.OK {
		return nil, errors.New("cannot be prepared: " + r.said())
	}
	if r.interp.Invoke() != tfl.OK {
		return nil, errors.New("failed to compute: " + r.said())
	}
	return r, r.view()
}

// check reads the file's sum and its identifier.
func check(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", &Error{Path: path, What: "cannot be read: " + err.Error(), Err: err}
	}
	defer f.Close()
	h := sha256.New()
	head := make([]byte, 8)
	if _, err := io.ReadFull(f, head); err != nil || string(head[4:]) != "TFL3" {
		return "", &Error{Path: path, What: "is no .tflite file: the identifier TFL3 is missing"}
	}
	h.Write(head)
	if _, err := io.Copy(h, f); err != nil {
		return "", &Error{Path: path, What: "cannot be read: " + err.Error(), Err: err}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
