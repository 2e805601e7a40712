package cv

import (
	"testing"
	"time"

	"gleaner/detect"
	"gleaner/detect/detecttest"
)

func TestMotionConforms(t *testing.T) {
	methods := []string{detect.MethodReference}
	if Real {
		methods = append(methods, detect.MethodMOG2)
	}
	for _, method := range methods {
		t.Run(method, func(t *testing.T) {
			o := detect.DefaultOptions()
			o.Motion.Method = method
			detecttest.Run(t, func(t testing.TB) detect.Detector {
				d, err := NewMotion(o)
				if err != nil {
					t.Fatal(err)
				}
				return d
			}, detecttest.Scene(320, 180, 30, 25), mats())
		})
	}
}

func TestGateConforms(t *testing.T) {
	o := detect.DefaultOptions()
	o.Gate.Hold = time.Second / 10
	detecttest.RunGate(t, func(t testing.TB) detect.Gate {
		g, err := NewGate(o)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}, mats())
}

func TestGateOff(t *testing.T) {
	o := detect.DefaultOptions()
	o.Gate.On = false
	g, err := NewGate(o)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	still := detecttest.Scene(64, 48, 1, 0)[0]
	for k := range 90 {
		if open, err := g.Open(still, time.Unix(int64(k), 0)); err != nil || !open {
			t.Fatalf("frame %d: open %v, error %v", k, open, err)
		}
	}
}

func TestMethodWithoutOpenCV(t *testing.T) {
	if Real {
		t.Skip("this build has OpenCV")
	}
	o := detect.DefaultOptions()
	o.Motion.Method = detect.MethodMOG2
	if _, err := NewMotion(o); err == nil {
		t.Error("MOG2 without OpenCV is no error")
	}
}
