package flat

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"gleaner/internal/shared"
)

func TestReadRealFiles(t *testing.T) {
	dir := shared.Path(t, "models/models")
	for _, c := range []struct {
		file    string
		in, out string
		scale   float32
		ops     int
	}{
		{"ssd_oidv4_fp16.tflite", "float32[1 300 300 3]", "float32[1 1917 4]", 0, 0},
		{"mobilenet_v2_1.0_224_quant.tflite", "uint8[1 224 224 3]", "uint8[1 1001]", 0.0078125, 0},
		{"tf2_mobilenet_v2_1.0_224_ptq.tflite", "uint8[1 224 224 3]", "uint8[1 1001]", 0.00784314, 0},
		{"face_detection_short_range.tflite", "float32[1 128 128 3]", "float32[1 896 16]", 0, 0},
	} {
		t.Run(c.file, func(t *testing.T) {
			m, err := ReadFile(filepath.Join(dir, c.file))
			if err != nil {
				t.Fatal(err)
			}
			in, out := m.InputTensors()[0], m.OutputTensors()[0]
			if got := in.String(); got != c.in {
				t.Errorf("input is %s, want %s", got, c.in)
			}
			if got := out.String(); got != c.out {
				t.Errorf("output is %s, want %s", got, c.out)
			}
			var s float32
			if in.Quant != nil && len(in.Quant.Scale) > 0 {
				s = in.Quant.Scale[0]
			}
			if d := s - c.scale; d > 1e-6 || d < -1e-6 {
				t.Errorf("input scale is %v, want %v", s, c.scale)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ name, body string }{
		{"empty", ""}, {"short", "abc"}, {"html", "<!DOCTYPE html><p>404"}, {"zip", "PK\x03\x04aaaaaaaa"}, {"text", "hello there, this is text"},
		{"lfs", "version https://git-lfs.github.com/spec/v1\n"}, {"noise", "\x00\x01\x02\x03\x04\x05\x06\xff\xfe"},
	} {
		if _, err := Read([]byte(c.body)); !errors.Is(err, ErrNotTFLite) {
			t.Errorf("%s: %v", c.name, err)
		} else {
			t.Log(err)
		}
	}
	b, err := os.ReadFile(shared.Path(t, "models/models/face_detection_short_range.tflite"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{8, 100, 1000, len(b) / 2, len(b) - 1000} {
		if _, err := Read(b[:n]); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut to %d bytes: %v", n, err)
		} else {
			t.Log(err)
		}
	}
}
