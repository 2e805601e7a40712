//go:build !cgo || nonative

package tflite

import (
	"errors"
	"strings"
	"testing"
)

func TestSaysWhatIsMissing(t *testing.T) {
	if ProbeChild() {
		t.Error("this is no probe child")
	}
	for _, open := range []func() error{
		func() error { _, err := Open("m.tflite", DefaultOptions()); return err },
		func() error { _, err := Opener("m.tflite", DefaultOptions())(); return err },
	} {
		if err := open(); !errors.Is(err, ErrNotBuilt) || !strings.Contains(err.Error(), "make setup") || !strings.Contains(err.Error(), "m.tflite") {
			t.Errorf("error %v", err)
		}
	}
}

func TestFindsNothing(t *testing.T) {
	for _, d := range Find(DefaultOptions()) {
		if d.Ready || d.Reason != ErrNotBuilt.Error() {
			t.Errorf("%+v", d)
		}
	}
	if Version() != "none" {
		t.Error(Version())
	}
}
