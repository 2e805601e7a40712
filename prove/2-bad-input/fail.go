package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"gleaner/prove/internal/cases"
)

// onTheWay are runs that begin well and fail: exit code 1, and what was reached is kept.
func (b *bench) onTheWay() []cases.Case {
	return []cases.Case{
		{Name: "loss that becomes NaN", Try: b.nan},
		{Name: "limit on the size of files", Try: b.limited},
		{Name: "full disk", Try: b.full},
		{Name: "picture that vanishes", Try: b.vanished},
		{Name: "Ctrl-C", Try: b.interrupted},
	}
}

// nan trains with a learning rate that no network survives. The checkpoint before stays, and is one to go on from.
func (b *bench) nan() error {
	out := b.out()
	err := ends(cases.Failed, 3, []string{"diverged in step", "the loss is ", "layer ", "the checkpoint of step", "is kept", "lower lr"},
		b.train(b.data, out, "optimiser=sgd", "lr=1e6", "save=1", "schedule=constant")...)
	path := filepath.Join(out, "checkpoint.safetensors")
	before := b.Read(path)
	if err == nil { // it is read, and the same step fails again
		err = ends(cases.Failed, 3, []string{"diverged in step"}, "train", "out="+out, "--resume")
	}
	if !bytes.Equal(b.Read(path), before) {
		err = errors.Join(err, errors.New("the checkpoint was changed"))
	}
	return err
}

// limited lets the checkpoint grow beyond the greatest file that is allowed: the one before stays, and without the limit the run
// goes on to the same end as an undisturbed one.
func (b *bench) limited() error {
	calm, out := b.out(), b.out()
	more := []string{"save=2", "name=same"}
	if code, errs, err := cases.Gleaner(b.train(b.data, calm, more...)...); err != nil || code != 0 {
		return fmt.Errorf("the undisturbed run: %v: %s", err, errs)
	}
	size := len(b.Read(filepath.Join(calm, "checkpoint.safetensors")))
	blocks := size * 7 / 8 / 1024 // without the best weights it fits, with them it does not
	code, _, errs, err := cases.Execute("bash", append([]string{"-c", fmt.Sprintf(`ulimit -f %d; exec bin/gleaner "$@"`, blocks), "bash"}, b.train(b.data, out, more...)...)...)
	if err != nil {
		return err
	}
	if err := cases.Told(code, errs, cases.Failed, 3, []string{"checkpoint.safetensors", "limit on the size of files", "what was there before is kept", "--resume goes on from step"}); err != nil {
		return err
	}
	return b.goesOn(out, calm)
}

// full is the same on a file system of its own that has no room. Without the right to mount one it is tried in a name space.
func (b *bench) full() error {
	calm := b.out()
	more := []string{"save=2", "name=same"}
	if code, errs, err := cases.Gleaner(b.train(b.data, calm, more...)...); err != nil || code != 0 {
		return fmt.Errorf("the undisturbed run: %v: %s", err, errs)
	}
	checkpoint := len(b.Read(filepath.Join(calm, "checkpoint.safetensors")))
	best := len(b.Read(filepath.Join(calm, "best.safetensors")))
	disk, copied := filepath.Join(b.Dir, "disk"), b.out()
	if err := os.MkdirAll(disk, 0o755); err != nil {
		return err
	}
	// Room for the first checkpoint and its successor while the best weights are not there yet.
	script := fmt.Sprintf(`mount -t tmpfs -o size=%d none "$DISK" && shift && { bin/gleaner "$@"; echo "exit code $?" >&2; cp -r "$DISK/run" "$COPY"; }`,
		2*checkpoint*3/4+best/2+3*4096)
	for name, value := range map[string]string{"DISK": disk, "COPY": copied} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	args := append([]string{"-c", script, "bash", "-"}, b.train(b.data, filepath.Join(disk, "run"), more...)...)
	_, _, errs, err := cases.Execute("unshare", append([]string{"--map-root-user", "--mount", "bash"}, args...)...)
	if err != nil {
		return err
	}
	before, after, found := strings.Cut(errs, "exit code ")
	if !found || strings.TrimSpace(after) != "1" {
		return fmt.Errorf("exit code %s: %s", after, errs)
	}
	if err := cases.Told(cases.Failed, before, cases.Failed, 3, []string{"the disk is full", "what was there before is kept", "--resume goes on from step"}); err != nil {
		return err
	}
	return b.goesOn(copied, calm)
}

// goesOn resumes a run, which must end as the undisturbed one did.
func (b *bench) goesOn(out, calm string) error {
	if code, errs, err := cases.Gleaner("train", "out="+out, "--resume"); err != nil || code != 0 {
		return fmt.Errorf("gone on: exit code %d, %v: %s", code, err, errs)
	}
	for _, name := range []string{"best.safetensors", "bundle/model.tflite"} {
		if !bytes.Equal(b.Read(filepath.Join(out, name)), b.Read(filepath.Join(calm, name))) {
			return fmt.Errorf("%s is not that of an undisturbed run", name)
		}
	}
	return nil
}

// vanished takes a picture away while its run goes on; the pictures are not kept in memory.
func (b *bench) vanished() error {
	var dir string
	for i := range 40 {
		dir = filepath.Dir(b.File(filepath.Join("photos", string(rune('a'+i%2)), fmt.Sprintf("%d.png", i)), picture(uint8(6*i))))
	}
	out := b.out()
	gone := filepath.Join(dir, "39.png")
	c := fmt.Sprintf(`bin/gleaner "$@" & pid=$!; for i in $(seq 600); do [ -e %q ] && break; sleep 0.1; done; rm %q; wait $pid`,
		filepath.Join(out, "checkpoint.safetensors"), gone)
	args := b.train(filepath.Dir(dir), out, "size=12", "cache=0", "epochs=100000", "save=1")
	code, _, errs, err := cases.Execute("bash", append([]string{"-c", c, "bash"}, args...)...)
	if err != nil {
		return err
	}
	return cases.Told(code, errs, cases.Failed, 3, []string{"39.png", "no such file", "--resume goes on from step"})
}

// interrupted stops a run as Ctrl-C does: one line, and a bundle that can be used. From there it goes on.
func (b *bench) interrupted() error {
	out := b.out()
	c := exec.Command("bin/gleaner", b.train(b.data, out, "epochs=100000", "scan=off", "overfit=off")...)
	var errs bytes.Buffer
	c.Stderr = &errs
	said, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	_, err = said.Read(make([]byte, 1)) // an epoch is over
	err = errors.Join(err, c.Process.Signal(os.Interrupt))
	_, _ = io.Copy(io.Discard, said)
	_ = c.Wait() // the exit code is looked at below
	if err != nil {
		return err
	}
	if err := cases.Told(c.ProcessState.ExitCode(), errs.String(), cases.Failed, 3, []string{"interrupted in epoch", "saved", "--resume goes on from there"}); err != nil {
		return err
	}
	picture := b.File("one.png", picture(230))
	for _, args := range [][]string{{"models", "verify", filepath.Join(out, "bundle")}, {"once", "--classify", filepath.Join(out, "bundle"), picture}} {
		if code, errs, err := cases.Gleaner(append(args, "--set=models.dir="+filepath.Join(b.Dir, "models"))...); err != nil || code != 0 {
			return fmt.Errorf("gleaner %s: exit code %d, %v: %s", args[0], code, err, errs)
		}
	}
	return nil
}
