// Command 1-still proves that someone who stands still for 60 seconds keeps one track, although nothing moves and a
// motion gate stands before the detector: a real clip in which a woman walks up to a table is frozen for 62 seconds
// while she stands there, with sensor noise laid over, and goes on with her walking away.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"gleaner/daemon/event"
	"gleaner/internal/shared"
)

const bar = "1 person, decided after at least 60 s in view"

func main() {
	if err := run(); err != nil {
		fmt.Printf("FIGURE %v BAR %s FAIL\n", err, bar)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "still")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	clip := filepath.Join(dir, "still.mp4")
	source := filepath.Join(shared.Root(), "data", "video", "one-by-one-person-detection.mp4")
	filter := "[0:v]split[a][b];[a]trim=0:11,setpts=PTS-STARTPTS,tpad=stop_mode=clone:stop_duration=62[x];" +
		"[b]trim=11:20,setpts=PTS-STARTPTS[y];[x][y]concat=n=2,noise=alls=6:allf=t[v]"
	ff := exec.Command("ffmpeg", "-v", "error", "-y", "-i", source, "-filter_complex", filter, "-map", "[v]", "-c:v", "libx264",
		"-preset", "ultrafast", "-crf", "20", clip)
	ff.Stderr = os.Stderr
	if err := ff.Run(); err != nil {
		return fmt.Errorf("make the clip: %w", err)
	}
	c := exec.Command("bin/gleaner", "replay", "--detect", "ssd-oidv4", "--set", "cameras[0].detect.classes=[Person]",
		"--set", "cameras[0].decide.when=end", clip)
	var summary bytes.Buffer
	c.Args = append(c.Args, "--json")
	c.Stderr = &summary
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("replay: %w: %s", err, summary.Bytes())
	}
	fmt.Printf("%s", summary.Bytes())
	people, longest := 0, 0.0
	for line := range bytes.Lines(out) {
		var o event.Object
		if err := json.Unmarshal(line, &o); err != nil {
			return err
		}
		people++
		seconds := float64(o.T.Cap) / 1e6 // the clip begins at 0, and she is there from its sixth second on
		fmt.Printf("track %d: last seen at %.1f s, %s %.2f\n", o.Track, seconds, o.Class, float64(o.P))
		longest = max(longest, seconds-8)
	}
	pass := people == 1 && longest >= 60
	fmt.Printf("FIGURE %d person, %.0f s in view BAR %s %s\n", people, longest, bar, map[bool]string{true: "PASS", false: "FAIL"}[pass])
	if !pass {
		os.Exit(1)
	}
	return nil
}
