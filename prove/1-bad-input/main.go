// Command 1-bad-input shows the line on bad input of the first issue: each wrong file, key, model, picture and address
// gives one clear line that names it and exit code 2; a camera that does not exist keeps the daemon up; Korean names and
// names that are hostile to topics work.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/prove/internal/cases"
)

const bar = "all: one line that names the culprit, exit code 2, no stack trace; names in Korean work"

func main() { cases.Main(bar, all) }

func all(dir string) ([]cases.Case, error) {
	b := &bench{Files: cases.Files{Dir: dir}, store: "--set=models.dir=" + filepath.Join(dir, "models")}
	if err := b.prepare(); err != nil {
		return nil, err
	}
	return slices.Concat(b.configs(), b.models(), b.sources(), b.korean()), nil
}

// bench is where the cases find their files.
type bench struct {
	cases.Files
	store   string
	shared  string // licensed test material
	picture string // a picture that can be read
}

// works is a command line that must succeed, with every one of want on its standard output.
func works(args []string, want ...string) error {
	code, out, errs, err := cases.Execute("bin/gleaner", args...)
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
func (b *bench) configs() []cases.Case {
	yaml := func(name, text string) []string { return []string{"run", "-c", b.File(name, []byte(text))} }
	cam := "cameras:\n- name: a\n  source: 'belt:'\n"
	locked := filepath.Join(b.Dir, "folder.yaml")
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
	return []cases.Case{
		cases.Refused("unknown key", []string{"unknown.yaml", "cameras[0].sorce: unknown key", `"source"`},
			yaml("unknown.yaml", "cameras:\n- name: a\n  sorce: 'belt:'\n")...),
		cases.Refused("duration without a unit", []string{"unit.yaml", "cameras[0].stall: 3 needs a unit, such as 3s"},
			yaml("unit.yaml", cam+"  stall: 3\n")...),
		cases.Refused("configuration that is no YAML", []string{"broken.yaml"}, yaml("broken.yaml", "cameras: [")...),
		cases.Refused("configuration of random bytes", []string{"random.yaml"}, yaml("random.yaml", string(noise(4000)))...),
		cases.Refused("configuration that is missing", []string{"none.yaml"}, "run", "-c", filepath.Join(b.Dir, "none.yaml")),
		cases.Refused("configuration that cannot be read", []string{"folder.yaml"}, "run", "-c", locked),
		cases.Refused("--set without a value", []string{"--set", "nonsense"}, set("nonsense")...),
		cases.Refused("--set of a broken index", []string{"--set", "cameras[x].name"}, set("cameras[x].name=b")...),
		cases.Refused("--set of an unknown key", []string{"web.lisen"}, set("web.lisen=1")...),
		cases.Refused("--set of a wrong kind", []string{"cameras[0].fps", "fast"}, set("cameras[0].fps=fast")...),
		cases.Refused("page on a port that is none", []string{"web.listen"}, set("web.listen=127.0.0.1:99999")...),
		cases.Refused("page on nonsense", []string{"web.listen"}, set("web.listen=here")...),
		cases.Refused("broker on a port that is none", []string{"mqtt.embedded.listen"}, set("mqtt.embedded.listen=127.0.0.1:abc")...),
		cases.Refused("broker URL of nonsense", []string{"mqtt.broker"}, set("mqtt.broker=::::")...),
		cases.Refused("broker URL of another scheme", []string{"mqtt.broker", "ftp"}, set("mqtt.broker=ftp://x")...),
		cases.Refused("broker URL with a port that is none", []string{"mqtt.broker", "99999"}, set("mqtt.broker=mqtt://h:99999")...),
		cases.Refused("password file that is missing", []string{"password_file", "none.txt"},
			set("mqtt.user=u", "mqtt.password_file="+filepath.Join(b.Dir, "none.txt"))...),
		cases.Refused("unknown verb", []string{"dance"}, "dance"),
		cases.Refused("unknown flag", []string{"--dance"}, "run", "--dance"),
		cases.Refused("no camera at all", []string{"no camera"}, "run", b.store),
	}
}
