// Command 1-conveyor proves that a replay finds the 30 things on the conveyor clip: exactly 30 objects, each box at its
// centre frame over the truth by an IoU of 0.7 at least, and the same bytes when it is run again.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"gleaner/daemon/event"
	"gleaner/detect"
	"gleaner/internal/shared"
)

type truth struct {
	FPS, Width, Height float64
	PxPerFrame         float64 `json:"px_per_frame"`
	Items              []struct {
		Class string     `json:"cls"`
		Frame float64    `json:"center_frame"`
		Box   [4]float64 `json:"box_at_center"`
	}
}

func main() {
	if err := run(); err != nil {
		fmt.Printf("FIGURE %v BAR 30 objects, IoU at least 0.7, same bytes FAIL\n", err)
		os.Exit(1)
	}
}

func run() error {
	dir := filepath.Join(shared.Root(), "data", "video")
	b, err := os.ReadFile(filepath.Join(dir, "conveyor-composite.truth.json"))
	if err != nil {
		return err
	}
	var t truth
	if err := json.Unmarshal(b, &t); err != nil {
		return err
	}
	first, err := replay(filepath.Join(dir, "conveyor-composite.mp4"))
	if err != nil {
		return err
	}
	second, err := replay(filepath.Join(dir, "conveyor-composite.mp4"))
	if err != nil {
		return err
	}
	var seen []event.Object
	for line := range bytes.Lines(first) {
		var o event.Object
		if err := json.Unmarshal(line, &o); err != nil {
			return err
		}
		seen = append(seen, o)
	}
	worst, found := 1.0, 0
	taken := map[int]bool{}
	for _, it := range t.Items {
		best, bestIoU := -1, 0.0
		for i, o := range seen {
			frame := float64(time.UnixMicro(o.T.Cap).Sub(time.Unix(0, 0)).Seconds()) * t.FPS
			if iou := overlap(t, it.Box, it.Frame, o, frame); iou > bestIoU && !taken[i] {
				best, bestIoU = i, iou
			}
		}
		fmt.Printf("item at frame %4.0f (%s): IoU %.3f\n", it.Frame, it.Class, bestIoU)
		worst = min(worst, bestIoU)
		if best >= 0 && bestIoU >= 0.7 {
			taken[best] = true
			found++
		}
	}
	same := bytes.Equal(first, second)
	pass := len(seen) == len(t.Items) && found == len(t.Items) && same
	word := map[bool]string{true: "PASS", false: "FAIL"}[pass]
	fmt.Printf("FIGURE %d objects for %d, worst IoU %.3f, same bytes %v BAR 30 objects, each IoU at least 0.7, same bytes %s\n",
		len(seen), len(t.Items), worst, same, word)
	if !pass {
		os.Exit(1)
	}
	return nil
}

// overlap is the IoU of the record's box with the item's, the record's moved from its frame to the item's centre frame
// by the belt's known speed; a record more than two frames away is another thing's.
func overlap(t truth, box [4]float64, frame float64, o event.Object, at float64) float64 {
	if math.Abs(at-frame) > 2 {
		return 0
	}
	shift := (at - frame) * t.PxPerFrame // the belt runs to the left
	got := detect.Box{X0: float32(float64(o.Box[0])*t.Width + shift), Y0: float32(float64(o.Box[1]) * t.Height),
		X1: float32(float64(o.Box[2])*t.Width + shift), Y1: float32(float64(o.Box[3]) * t.Height)}
	want := detect.Box{X0: float32(box[0]), Y0: float32(box[1]), X1: float32(box[2]), Y1: float32(box[3])}
	return float64(got.IoU(want))
}

func replay(clip string) ([]byte, error) {
	c := exec.Command("bin/gleaner", "replay", "--detect", "motion", clip)
	c.Stderr = os.Stderr
	return c.Output()
}
