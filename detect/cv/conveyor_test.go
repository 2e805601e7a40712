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
		Index  int        `json:"index"`
		Class  string     `json:"cls"`
		Centre int        `json:"center_frame"`
		First  int        `json:"first_full_frame"`
		Last   int        `json:"last_full_frame"`
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
// MOG2 has no such test: on a belt that is covered for two fifths of the time it learns the items too.
func TestConveyor(t *testing.T) {
	path, truth := readConveyor(t)
	d, err := NewMotion(detect.DefaultOptions())
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
		boxes := 0 // that may be there
		for _, it := range truth.Items {
			dx := float32(it.Centre-n) * truth.Speed
			box := detect.Box{X0: it.Raw[0] + dx, Y0: it.Raw[1], X1: it.Raw[2] + dx, Y1: it.Raw[3]}
			if box.X1 > -16 && box.X0 < float32(im.W)+16 {
				boxes++
			}
			if n < it.First || n > it.Last {
				continue
			}
			full++
			best := float32(0)
			for _, x := range dets {
				best = max(best, x.Box.IoU(box))
			}
			if best < 0.9 {
				missed++
				t.Logf("frame %d, item %d (%s): IoU %.2f", n, it.Index, it.Class, best)
			}
		}
		if len(dets) > boxes {
			extra++
		}
	})
	t.Logf("%d views of whole items, %d below IoU 0.9; %d frames with more boxes than items", full, missed, extra)
	// Slivers of an item at the frame's border may fall apart.
	if full < 800 || missed > 0 || extra > full/50 {
		t.Error("items missed, or more than 2 % of the frames with boxes over nothing")
	}
}
