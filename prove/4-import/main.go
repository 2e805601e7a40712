// Command 4-import proves that labels in AI-Hub's shape become the right pixels: every box of the composite pictures is compared,
// pixel by pixel, with a cut that this program makes itself out of the decoded picture; every quirk of the awkward labels ends as
// it should and is told of where the user sees it; and an import that is killed midway ends in the same set.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"gleaner/internal/shared"
	"gleaner/prove/internal/proof"
)

const bar = "81 boxes, 81 crops, each pixel-exact; 6 of 6 quirks handled and listed; killed 5 times, the same identity"

func main() {
	proof.Main(bar, func(_ context.Context, dir string) (string, error) {
		figure, ok, err := run(dir)
		if err == nil && !ok {
			err = proof.ErrShort
		}
		return figure, err
	})
}

func run(dir string) (figure string, ok bool, err error) {
	root := shared.Root()
	if root == "" {
		return "", false, errors.New("no test material: set GLEANER_SHARED")
	}
	figure, ok = "", true
	for _, name := range []string{"composite", "real"} {
		c, err := exactly(filepath.Join(root, "data/aihub", name), dir)
		if err != nil {
			return "", false, fmt.Errorf("%s: %w", name, err)
		}
		figure += fmt.Sprintf("%s: %d boxes, %d crops, %d pixel-exact at their own size, %d within %d level of a plain bilinear resize, "+
			"off by %.1f levels on average from another JPEG decoder's; ", name, c.boxes, c.crops, c.exact, c.resized, resizeLevels, c.other)
		ok = ok && (name == "real" || c.boxes == 81) && c.crops == c.boxes && c.exact == c.boxes && c.resized == c.boxes && c.other <= 4
	}
	right, all, err := quirks(filepath.Join(root, "data/aihub/quirks"), dir)
	figure += fmt.Sprintf("%d of %d quirks handled and listed", right, all)
	if err != nil {
		return figure, false, fmt.Errorf("quirks: %w", err)
	}
	n, resumed, err := killed(filepath.Join(root, "data/trashnet"), dir)
	figure += fmt.Sprintf("; killed %d times, gone on with %d pictures kept, the same identity", n, resumed)
	if err != nil {
		return figure, false, fmt.Errorf("resume: %w", err)
	}
	if err := killedEarly(filepath.Join(root, "data/aihub/quirks"), dir); err != nil {
		return figure, false, fmt.Errorf("resume: %w", err)
	}
	figure += fmt.Sprintf(", also %d times as the file was made", early)
	ok = ok && right == all && all == 6 && n == kills && resumed > 0
	return figure, ok, nil
}

// imported is what data import says with --json.
type imported struct {
	Set      string `json:"set"`
	Format   string `json:"format"`
	Pictures int    `json:"pictures"`
	Examples int    `json:"examples"`
	LeftOut  int    `json:"left_out"`
	Mended   int    `json:"mended"`
	Identity string `json:"identity"`
}

// bring runs data import.
func bring(pictures, set string, more ...string) (r imported, err error) {
	out, err := gleaner(append([]string{"data", "import", pictures, "-o", set, "--json"}, more...)...)
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	return r, err
}

// gleaner runs the program and returns what it says.
func gleaner(args ...string) ([]byte, error) {
	out, err := exec.Command("bin/gleaner", args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("gleaner %s: exit code %d: %s", strings.Join(args[:2], " "), exit.ExitCode(), exit.Stderr)
	}
	return out, err
}
