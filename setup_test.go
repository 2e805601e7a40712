package gleaner_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// checkout is a copy of what setup/setup.sh works on, in a folder of its own, with the environment it runs in.
type checkout struct {
	dir string
	env []string
}

// newCheckout copies the set-up and points it at a cache and at a registry where nothing listens.
func newCheckout(t *testing.T, cache string) checkout {
	t.Helper()
	c := checkout{dir: t.TempDir()}
	if err := os.CopyFS(filepath.Join(c.dir, "setup"), os.DirFS("setup")); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	c.write(t, "go.mod", string(mod))
	c.env = append(os.Environ(), "XDG_CACHE_HOME="+cache, "GLEANER_SKIP_PACKAGES=1",
		"npm_config_registry=http://127.0.0.1:9", "npm_config_fetch_retries=0")
	return c
}

func (c checkout) write(t *testing.T, rel, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, rel), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (c checkout) read(t *testing.T, rel string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, rel))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// setup runs the script and returns all it printed.
func (c checkout) setup(t *testing.T) (out string, err error) {
	t.Helper()
	cmd := exec.Command("bash", filepath.Join(c.dir, "setup", "setup.sh"))
	cmd.Env = c.env
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// refused demands that setup fails, says each of the words, and leaves nothing in .native.
func (c checkout) refused(t *testing.T, words ...string) {
	t.Helper()
	out, err := c.setup(t)
	if err == nil {
		t.Errorf("setup went through, and was to refuse")
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			t.Errorf("setup does not say %q; it says:\n%s", w, out)
		}
	}
	left, _ := filepath.Glob(filepath.Join(c.dir, ".native", "*"))
	hidden, _ := filepath.Glob(filepath.Join(c.dir, ".native", ".new*"))
	if left = append(left, hidden...); len(left) > 0 {
		t.Errorf("setup left %v behind", left)
	}
}

// tool puts a program of its own before all others in the checkout's PATH.
func (c checkout) tool(t *testing.T, name, body string) checkout {
	t.Helper()
	c.write(t, name, "#!/bin/sh\n"+body+"\n")
	c.env = append(c.env, "PATH="+c.dir+":"+os.Getenv("PATH"))
	return c
}

// userCache is the cache that setup filled for this user; without it there is nothing to test offline.
func userCache(t *testing.T) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Skip("no cache folder: ", err)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "gleaner", "*.tgz")); len(found) < 3 {
		t.Skip("the tarballs are not in the cache: run make setup once")
	}
	return dir
}

const goodSum = "c148336a65f673013609a923fdcbdeec0f49df935045029c3746a3828a0e80e0" // ssd-oidv4.labels.txt

func TestSetupOffline(t *testing.T) {
	c := newCheckout(t, userCache(t))
	if out, err := c.setup(t); err != nil {
		t.Fatalf("setup from the cache alone: %v\n%s", err, out)
	}
	labels := c.read(t, ".native/models/ssd-oidv4.labels.txt")
	if !strings.HasPrefix(labels, "???\n") || !strings.HasSuffix(labels, "\nCar\n") {
		t.Errorf("the labels are %q", labels)
	}
	if out, err := c.setup(t); err != nil || out != "" {
		t.Errorf("a second run has nothing to do, and said %q, %v", out, err)
	}
	c.write(t, ".native/models/ssd-oidv4.labels.txt", "tampered")
	if out, err := c.setup(t); err != nil || c.read(t, ".native/models/ssd-oidv4.labels.txt") != labels {
		t.Errorf("a damaged file was not put right: %v\n%s", err, out)
	}
}

func TestSetupMachines(t *testing.T) {
	for _, tc := range []struct{ machine, elf string }{
		{"x86_64", "\x3e\x00"},  // EM_X86_64
		{"aarch64", "\xb7\x00"}, // EM_AARCH64
	} {
		t.Run(tc.machine, func(t *testing.T) {
			c := newCheckout(t, userCache(t)).tool(t, "uname", "echo "+tc.machine)
			if out, err := c.setup(t); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			// e_machine stands at byte 18 of an ELF header.
			if got := c.read(t, ".native/lib/libtensorflowlite_c.so")[18:20]; got != tc.elf {
				t.Errorf("e_machine of the library is %q, want %q", got, tc.elf)
			}
		})
	}
	t.Run("unknown", func(t *testing.T) {
		newCheckout(t, t.TempDir()).tool(t, "uname", "echo riscv64").refused(t, "riscv64", "amd64 and arm64")
	})
}

func TestSetupRefuses(t *testing.T) {
	bad := strings.Repeat("0", 64)
	t.Run("file", func(t *testing.T) {
		c := newCheckout(t, userCache(t))
		c.write(t, "setup/sums.txt", strings.Replace(c.read(t, "setup/sums.txt"), goodSum, bad, 1))
		c.refused(t, "models/ssd-oidv4.labels.txt", "wanted "+bad, "got    "+goodSum, "nothing was installed")
	})
	t.Run("cached tarball", func(t *testing.T) {
		cache := t.TempDir()
		if err := os.CopyFS(filepath.Join(cache, "gleaner"), os.DirFS(filepath.Join(userCache(t), "gleaner"))); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(cache, "gleaner", "tfjs-tflite-node-0.0.2.tgz")
		if err := os.WriteFile(path, []byte("not what it was"), 0o644); err != nil {
			t.Fatal(err)
		}
		newCheckout(t, cache).refused(t, path, "wanted sha512-Zed9biOz9lkW", "got    sha512-", "delete that file")
	})
	t.Run("registry's tarball", func(t *testing.T) {
		cache := t.TempDir()
		newCheckout(t, cache).tool(t, "npm", "echo other >package.tgz").
			refused(t, "tfjs-tflite-node@0.0.2", "wanted sha512-Zed9biOz9lkW", "got    sha512-", "do not use")
		if kept, _ := filepath.Glob(filepath.Join(cache, "gleaner", "*")); len(kept) > 0 {
			t.Errorf("the refused tarball was kept: %v", kept)
		}
	})
	t.Run("registry away", func(t *testing.T) {
		if _, err := exec.LookPath("npm"); err != nil {
			t.Skip("npm is not installed")
		}
		newCheckout(t, t.TempDir()).refused(t, "could not fetch tfjs-tflite-node@0.0.2", "check the network")
	})
	t.Run("old go", func(t *testing.T) {
		newCheckout(t, t.TempDir()).tool(t, "go", "echo go1.19.8").refused(t, "go 1.19.8 is in PATH", "Go 1.26")
	})
}
