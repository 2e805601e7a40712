//go:build cgo && !nonative

package cv

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"gocv.io/x/gocv"

	"gleaner/capture"
	"gleaner/detect"
	"gleaner/internal/shared"
)

// clip calls f with each frame of a video file; the frame is valid for the call.
func clip(t testing.TB, path string, f func(n int, im capture.Image, at time.Duration)) {
	t.Helper()
	v, err := gocv.VideoCaptureFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	fps := v.Get(gocv.VideoCaptureFPS)
	m := gocv.NewMat()
	defer m.Close()
	for n := 0; v.Read(&m) && !m.Empty(); n++ {
		pix, err := m.DataPtrUint8()
		if err != nil {
			t.Fatal(err)
		}
		f(n, capture.Image{Pix: pix, Stride: 3 * m.Cols(), W: m.Cols(), H: m.Rows()},
			time.Duration(float64(n)/fps*float64(time.Second)))
	}
}

type conveyorTruth struct {
	FPS   float64 `json:"fps"`
	Speed float32 `json:"px_per_frame"`
	Items []struct {
		Index  int    `json:"index"`
		Class  string `json:"cls"`
		Centre int    `json:"center_frame"`
		First  int    `json:"first_full_frame"`
		Last   int    `json:"last_full_frame"`
		Box    [4]float32
		Raw    [4]float32 `json:"box_at_center"`
	} `json:"items"`
}

func readConveyor(t testing.TB) (string, conveyorTruth) {
	t.Helper()
	var truth conveyorTruth
	raw, err := os.ReadFile(shared.Path(t, "data/video/conveyor-composite.truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &truth); err != nil {
		t.Fatal(err)
	}
	return shared.Path(t, "data/video/conveyor-composite.mp4"), truth
}

// TestConveyor holds the detector to the truth in every frame in which an item is wholly seen, not only at the centre.
func TestConveyor(t *testing.T) {
	path, truth := readConveyor(t)
	for _, c := range []struct {
		name, method string
		least        float32
	}{{"reference", detect.MethodReference, 0.9}} {
		t.Run(c.name, func(t *testing.T) {
			o := detect.DefaultOptions()
			o.Motion.Method = c.method
			d, err := NewMotion(o)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			var dets []detect.Detection
			full, missed, extra := 0, 0, 0
			clip(t, path, func(n int, im capture.Image, at time.Duration) {
				dets, err = d.Detect(context.Background(), im, time.Unix(0, 0).Add(at), dets[:0])
				if err != nil {
					t.Fatal(err)
				}
				matched := 0
				for _, it := range truth.Items {
					dx := float32(it.Centre-n) * truth.Speed
					box := detect.Box{X0: max(it.Raw[0]+dx, 0), Y0: it.Raw[1], X1: min(it.Raw[2]+dx, 640), Y1: it.Raw[3]}
					if n < it.First || n > it.Last {
						if box.W() > -16 { // partly seen, or about to be
							matched += 1
						}
						continue
					}
					full++
					best := float32(0)
					for _, x := range dets {
						best = max(best, x.Box.IoU(box))
					}
					if best < c.least {
						missed++
						if missed < 10 {
							t.Logf("frame %d item %d (%s): IoU %.3f %v want %v", n, it.Index, it.Class, best, dets, box)
						}
					} else {
						matched++
					}
					if n == it.Centre && best < 0.7 {
						t.Errorf("item %d (%s) at its centre frame %d: IoU %.2f", it.Index, it.Class, n, best)
					}
				}
				if len(dets) > matched {
					extra++
					if extra < 10 {
						t.Logf("frame %d: %d detections, %d items: %v", n, len(dets), matched, dets)
					}
				}
			})
			t.Logf("%d views of whole items, %d below IoU %.1f; %d frames with something that is no item", full, missed, c.least, extra)
			if missed > full/100 || extra > full/50 {
				t.Errorf("more than 1 %% missed, or 2 %% of frames with slivers at the border")
			}
		})
	}
}
