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

	"gleaner/model/flat"
)

// Version is TensorFlow Lite's own, such as "2.9.0"; "none" in a build without it.
func Version() string { return C.GoString(C.TfLiteVersion()) }

// checked is a model file that may be handed to TensorFlow Lite.
type checked struct {
	path string
	sum  string // sha256, lower-case hex
}

// check reads the file and takes it apart in Go, since TensorFlow Lite trusts what it is given. For a file that the
// caller has verified it looks at the identifier only.
func check(path string, o Options) (*checked, error) {
	if o.SHA256 != "" {
		return checkHead(path, o.SHA256)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if _, err := flat.Read(b); err != nil {
		return nil, &Error{Path: path, What: "is unusable: " + oneLine(err.Error()), Err: err}
	}
	sum := sha256.Sum256(b)
	return &checked{path: path, sum: hex.EncodeToString(sum[:])}, nil
}

func checkHead(path, sum string) (*checked, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	var head [8]byte // the root's offset and the identifier, as FlatBuffers lays them out
	if _, err := io.ReadFull(f, head[:]); err != nil || string(head[4:]) != "TFL3" {
		return nil, &Error{Path: path, What: "is unusable: the identifier TFL3 is missing"}
	}
	return &checked{path: path, sum: sum}, nil
}

func unreadable(path string, err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return &Error{Path: path, What: "cannot be read: " + pe.Err.Error(), Err: err}
	}
	return &Error{Path: path, What: "cannot be read: " + err.Error(), Err: err}
}

// build makes a Runner on one rung and computes once, on zeros: memory that is only settled by computing is settled.
// stage is told before each step that may take the process down.
func build(c *checked, s step, threads int, stage func(string)) (_ *runner, err error) {
	r := &runner{path: c.path}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	if err := r.delegateTo(s, threads, stage); err != nil {
		return nil, err
	}
	stage(stageBuilding)
	C.gl_hush(1)
	r.model = tfl.NewModelFromFile(c.path)
	C.gl_hush(0)
	if r.model == nil {
		return nil, errors.New("is no valid FlatBuffer to TensorFlow Lite")
	}
	if err := r.interpret(c, s, threads); err != nil {
		return nil, err
	}
	stage(stageAllocating)
	if r.interp.AllocateTensors() != tfl.OK {
		return nil, errors.New("cannot be prepared: " + r.said())
	}
	stage(stageComputing)
	if r.interp.Invoke() != tfl.OK {
		return nil, errors.New("failed to compute: " + r.said())
	}
	return r, r.view()
}

// interpret makes the interpreter, with the delegate if there is one.
func (r *runner) interpret(c *checked, s step, threads int) error {
	r.log = (*C.gl_log)(C.calloc(1, C.sizeof_gl_log))
	o := tfl.NewInterpreterOptions()
	defer o.Delete()
	o.SetNumThread(threads)
	// go-tflite keeps the native pointer in its only field.
	C.gl_log_attach(*(**C.TfLiteInterpreterOptions)(unsafe.Pointer(o)), r.log)
	for _, d := range r.delegates {
		o.AddDelegate(d)
	}
	if r.interp = tfl.NewInterpreter(r.model, o); r.interp == nil {
		return refusal(r.said(), s.external == nil && hasUint8Weights(c.path))
	}
	if len(r.delegates) == 0 {
		return nil
	}
	if r.claims = r.delegates[0].claimed(); r.claims.n == 0 {
		return errNoClaim
	}
	return nil
}

// delegateTo makes the delegates of a rung.
func (r *runner) delegateTo(s step, threads int, stage func(string)) error {
	if s.external != nil {
		d, err := newExternal(*s.external, stage)
		if err != nil {
			return err
		}
		r.delegates = append(r.delegates, d)
	}
	if !s.xnnpack {
		return nil
	}
	d, err := newXNNPACK(threads, s.flags)
	if err != nil {
		return err
	}
	r.delegates = append(r.delegates, d)
	return nil
}
