// Command 1-bad-input shows the line on bad input of the first issue: each wrong file, key, model, picture and address
// gives one clear line that names it and exit code 2; a camera that does not exist keeps the daemon up; Korean names and
// names that are hostile to topics work.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	bar     = "all: one line that names the culprit, exit code 2, no stack trace; names in Korean work"
	patient = time.Minute
)

// test is one case; nil is right.
type test struct {
	name string
	try  func() error
}

func main() {
	right, all, err := prove()
	word := "PASS"
	figure := fmt.Sprintf("%d of %d cases right", right, all)
	if err != nil {
		figure = fmt.Sprintf("%s; %v", figure, err)
	}
	if err != nil || right < all {
		word = "FAIL"
	}
	fmt.Printf("FIGURE %s BAR %s %s\n", figure, bar, word)
	if word == "FAIL" {
		os.Exit(1)
	}
}

func prove() (right, all int, err error) {
	dir, err := os.MkdirTemp("", "prove-bad-input")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, store: "--set=models.dir=" + filepath.Join(dir, "models")}
	if err := b.prepare(); err != nil {
		return 0, 0, err
	}
	tests := append(b.configs(), b.models()...)
	tests = append(tests, b.sources()...)
	tests = append(tests, b.korean()...)
	for _, t := range tests {
		what := "ok"
		if err := t.try(); err != nil {
			what = "WRONG: " + err.Error()
		} else {
			right++
		}
		fmt.Printf("%-44s %s\n", t.name, what)
	}
	return right, len(tests), nil
}

// bench is where the cases find their files.
type bench struct {
	dir, store string
	shared     string // licensed test material
	picture    string // a picture that can be read
}

// file writes a file and returns its path.
func (b *bench) file(name string, data []byte) string {
	path := filepath.Join(b.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
		panic(err) // the folder is this program's own
	}
	return path
}

// gleaner runs the program.
func gleaner(args ...string) (code int, stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bin/gleaner", args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		err = nil
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String(), cmp.Or(ctx.Err(), err)
}

// refused is a command line that must fail with one line that holds every one of want.
func refused(name string, want []string, args ...string) test {
	return test{name, func() error {
		code, _, errs, err := gleaner(args...)
		if err != nil {
			return err
		}
		return oneLine(code, errs, want)
	}}
}

func oneLine(code int, errs string, want []string) error {
	switch {
	case code != 2:
		return fmt.Errorf("exit code %d: %s", code, errs)
	case strings.Count(errs, "\n") != 1:
		return fmt.Errorf("%d lines: %s", strings.Count(errs, "\n"), errs)
	case strings.Contains(errs, "goroutine ") || strings.Contains(errs, "panic"):
		return fmt.Errorf("a stack trace: %s", errs)
	}
	for _, w := range want {
		if !strings.Contains(errs, w) {
			return fmt.Errorf("%q is not in %s", w, errs)
		}
	}
	return nil
}

// works is a command line that must succeed, with every one of want on its standard output.
func works(args []string, want ...string) error {
	code, out, errs, err := gleaner(args...)
	if err != nil || code != 0 {
		return fmt.Errorf("exit code %d, %v: %s", code, err, errs)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			return fmt.Errorf("%q is not in %s", w, out)
		}
	}
	return nil
}

// configs are wrong configurations and addresses.
func (b *bench) configs() []test {
	yaml := func(name, text string) []string { return []string{"run", "-c", b.file(name, []byte(text))} }
	cam := "cameras:\n- name: a\n  source: 'belt:'\n"
	locked := filepath.Join(b.dir, "folder.yaml")
	if err := os.Mkdir(locked, 0o700); err != nil {
		panic(err)
	}
	set := func(sets ...string) []string {
		args := []string{"run", b.store, "--set=cameras[0].name=a", "--set=cameras[0].source='belt:'", "--set=web.listen="}
		for _, s := range sets {
			args = append(args, "--set="+s)
		}
		return args
	}
	return []test{
		refused("unknown key", []string{"unknown.yaml", "cameras[0].sorce: unknown key", `"source"`},
			yaml("unknown.yaml", "cameras:\n- name: a\n  sorce: 'belt:'\n")...),
		refused("duration without a unit", []string{"unit.yaml", "cameras[0].stall: 3 needs a unit, such as 3s"},
			yaml("unit.yaml", cam+"  stall: 3\n")...),
		refused("configuration that is no YAML", []string{"broken.yaml"}, yaml("broken.yaml", "cameras: [")...),
		refused("configuration of random bytes", []string{"random.yaml"}, yaml("random.yaml", string(noise(4000)))...),
		refused("configuration that is missing", []string{"none.yaml"}, "run", "-c", filepath.Join(b.dir, "none.yaml")),
		refused("configuration that cannot be read", []string{"folder.yaml"}, "run", "-c", locked),
		refused("--set without a value", []string{"--set", "nonsense"}, set("nonsense")...),
		refused("--set of a broken index", []string{"--set", "cameras[x].name"}, set("cameras[x].name=b")...),
		refused("--set of an unknown key", []string{"web.lisen"}, set("web.lisen=1")...),
		refused("--set of a wrong kind", []string{"cameras[0].fps", "fast"}, set("cameras[0].fps=fast")...),
		refused("page on a port that is none", []string{"web.listen"}, set("web.listen=127.0.0.1:99999")...),
		refused("page on nonsense", []string{"web.listen"}, set("web.listen=here")...),
		refused("broker on a port that is none", []string{"mqtt.embedded.listen"}, set("mqtt.embedded.listen=127.0.0.1:abc")...),
		refused("broker URL of nonsense", []string{"mqtt.broker"}, set("mqtt.broker=::::")...),
		refused("broker URL of another scheme", []string{"mqtt.broker", "ftp"}, set("mqtt.broker=ftp://x")...),
		refused("broker URL with a port that is none", []string{"mqtt.broker", "99999"}, set("mqtt.broker=mqtt://h:99999")...),
		refused("password file that is missing", []string{"password_file", "none.txt"},
			set("mqtt.user=u", "mqtt.password_file="+filepath.Join(b.dir, "none.txt"))...),
		refused("unknown verb", []string{"dance"}, "dance"),
		refused("unknown flag", []string{"--dance"}, "run", "--dance"),
		refused("no camera at all", []string{"no camera"}, "run", b.store),
	}
}
