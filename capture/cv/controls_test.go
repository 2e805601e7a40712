package cv

import (
	"math"
	"strings"
	"testing"

	"gleaner/capture"
)

// fakeCamera is a getSetter with a driver's manners.
type fakeCamera struct {
	values map[int]float64
	limits map[int][2]float64 // clamps
	lacks  map[int]bool
	log    []int // properties set, in order
}

func (f *fakeCamera) Get(prop int) float64 { return f.values[prop] }

func (f *fakeCamera) Set(prop int, v float64) bool {
	f.log = append(f.log, prop)
	if f.lacks[prop] {
		return false
	}
	if l, ok := f.limits[prop]; ok {
		v = math.Max(l[0], math.Min(l[1], v))
	}
	// Manual exposure and white balance are refused while the automatic runs.
	if prop == propExposure && f.values[propAutoExposure] != 1 || prop == propWBTemp && f.values[propAutoWB] != 0 {
		return false
	}
	f.values[prop] = v
	return true
}

func newFakeCamera() *fakeCamera {
	return &fakeCamera{values: map[int]float64{propAutoExposure: 3, propAutoWB: 1, propAutoFocus: 1},
		limits: map[int][2]float64{propGain: {0, 64}}, lacks: map[int]bool{}}
}

func TestApplyControls(t *testing.T) {
	for _, c := range []struct {
		name  string
		c     capture.Controls
		lacks []int
		want  map[int]float64
		warn  string
	}{
		{"nothing", capture.Controls{}, nil, map[int]float64{propAutoExposure: 3, propAutoWB: 1}, ""},
		{"locked", capture.Controls{Exposure: "120", Gain: "8", WhiteBalance: "4600", Focus: "0"}, nil,
			map[int]float64{propAutoExposure: 1, propExposure: 120, propGain: 8, propAutoWB: 0, propWBTemp: 4600, propAutoFocus: 0, propFocus: 0}, ""},
		{"automatic", capture.Controls{Exposure: "auto", WhiteBalance: "AUTO", Focus: "auto"}, nil,
			map[int]float64{propAutoExposure: 3, propAutoWB: 1, propAutoFocus: 1}, ""},
		{"clamped", capture.Controls{Gain: "100"}, nil, map[int]float64{propGain: 64}, "gain: asked for 100, the camera took 64"},
		{"fixed focus", capture.Controls{Focus: "30"}, []int{propFocus, propAutoFocus}, nil, "focus: the camera did not accept 30"},
		{"no autofocus", capture.Controls{Focus: "auto"}, []int{propAutoFocus}, nil, "focus: the camera did not accept auto"},
		{"manual focus alone", capture.Controls{Focus: "30"}, []int{propAutoFocus}, map[int]float64{propFocus: 30}, ""},
		{"automatic gain", capture.Controls{Gain: "auto"}, nil, nil, "no automatic gain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFakeCamera()
			for _, p := range c.lacks {
				f.lacks[p] = true
			}
			list, err := parseControls(c.c)
			if err != nil {
				t.Fatal(err)
			}
			warns := strings.Join(applyControls(f, list), "\n")
			if c.warn == "" && warns != "" || !strings.Contains(warns, c.warn) {
				t.Fatalf("warnings %q, want %q", warns, c.warn)
			}
			for p, v := range c.want {
				if f.values[p] != v {
					t.Errorf("property %d is %g, want %g", p, f.values[p], v)
				}
			}
		})
	}
}

func TestApplyFormat(t *testing.T) {
	f := newFakeCamera()
	f.limits[propWidth], f.limits[propHeight], f.limits[propFPS] = [2]float64{0, 1280}, [2]float64{0, 720}, [2]float64{0, 30}
	f.values[propFourCC], f.lacks[propFourCC] = fourCC("YUYV"), true
	warns := applyFormat(f, capture.Options{FourCC: "MJPG", Width: 1920, Height: 1080, FPS: 60})
	want := []string{"fourcc: asked for MJPG, the camera gives YUYV", "size: asked for 1920×1080, the camera gives 1280×720",
		"fps: asked for 60, the camera gives 30"}
	if strings.Join(warns, "\n") != strings.Join(want, "\n") {
		t.Fatalf("warnings %q, want %q", warns, want)
	}
	if len(f.log) != 4 || f.log[0] != propFourCC || f.log[3] != propFPS {
		t.Fatalf("set in the order %v: want format, size, rate", f.log)
	}
	if warns := applyFormat(newFakeCamera(), capture.Options{FourCC: "MJPG", Width: 640, Height: 480, FPS: 30}); len(warns) != 0 {
		t.Fatalf("all as asked, yet %q", warns)
	}
	if warns := applyFormat(newFakeCamera(), capture.Options{}); len(warns) != 0 {
		t.Fatalf("nothing asked, yet %q", warns)
	}
}
