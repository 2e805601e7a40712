package xla

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// site makes a site-packages with empty files.
func site(t *testing.T, files ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lib", "python3.13", "site-packages")
	for _, f := range files {
		f = filepath.Join(dir, f)
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// alone is an environment in which no plug-in is found but those of the test.
func alone(t *testing.T) {
	t.Helper()
	for _, name := range []string{PluginEnv, "VIRTUAL_ENV", "CONDA_PREFIX", "PATH"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
}

const (
	plugin13 = "jax_plugins/xla_cuda13/xla_cuda_plugin.so"
	plugin12 = "jax_plugins/xla_cuda12/xla_cuda_plugin.so"
)

func TestFindInAnEnvironment(t *testing.T) {
	alone(t)
	dir := site(t, plugin12, plugin13, "nvidia/cu13/lib/libcudart.so.13", "nvidia/cu13/lib/libcublas.so.13", "nvidia/cudnn/lib/libcudnn.so.9",
		"nvidia/cublas/lib/libcublas.so.12", "nvidia/cu13/nvvm/libdevice/libdevice.10.bc")
	t.Setenv("VIRTUAL_ENV", filepath.Join(dir, "..", "..", ".."))
	p, err := Find("")
	if err != nil {
		t.Fatal(err)
	}
	if p.Path != filepath.Join(dir, plugin13) {
		t.Errorf("the plug-in is %s", p.Path)
	}
	var names []string
	for _, l := range p.Libraries {
		names = append(names, filepath.Base(l))
	}
	if want := []string{"libcudart.so.13", "libcublas.so.13", "libcudnn.so.9"}; !slices.Equal(names, want) {
		t.Errorf("the libraries are %v, and should be %v", names, want)
	}
	if p.Data != filepath.Join(dir, "nvidia/cu13") || !slices.Contains(p.Missing, "cuSPARSE") || slices.Contains(p.Missing, "cuDNN") {
		t.Errorf("the data is %q, missing is %v", p.Data, p.Missing)
	}
}

func TestFindCUDA12(t *testing.T) {
	alone(t)
	dir := site(t, plugin12, "nvidia/cublas/lib/libcublas.so.12", "nvidia/cu13/lib/libcublas.so.13", "nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc")
	for name, set := range map[string]func(t *testing.T) string{
		"by path":     func(*testing.T) string { return filepath.Join(dir, plugin12) },
		"by variable": func(t *testing.T) string { t.Setenv(PluginEnv, filepath.Join(dir, plugin12)); return "" },
		"by folder": func(t *testing.T) string {
			t.Setenv(PluginEnv, "/nowhere:"+filepath.Dir(filepath.Join(dir, plugin12)))
			return ""
		},
		"of the Conda": func(t *testing.T) string { t.Setenv("CONDA_PREFIX", filepath.Join(dir, "..", "..", "..")); return "" },
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Find(set(t))
			if err != nil {
				t.Fatal(err)
			}
			if p.Path != filepath.Join(dir, plugin12) || len(p.Libraries) != 1 || filepath.Base(p.Libraries[0]) != "libcublas.so.12" ||
				p.Data != filepath.Join(dir, "nvidia/cuda_nvcc") {
				t.Errorf("found %+v", p)
			}
		})
	}
}

func TestFindNothing(t *testing.T) {
	alone(t)
	t.Setenv(PluginEnv, "/nowhere/xla_cuda_plugin.so")
	var missing *MissingError
	if _, err := Find(""); !errors.As(err, &missing) || !strings.Contains(err.Error(), "/nowhere/xla_cuda_plugin.so is not there") || strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is %v", err)
	}
}

func TestThePlacesOfWheels(t *testing.T) {
	alone(t)
	dir := site(t, plugin13)
	root := filepath.Join(dir, "..", "..", "..")
	t.Setenv("HOME", root)
	if slices.Contains(sitePackages(), dir) {
		t.Error("what lies in the home folder itself is no site-packages")
	}
	if err := os.MkdirAll(filepath.Join(root, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "bin", "python3"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Join(root, "bin"))
	if list := sitePackages(); !slices.Contains(list, filepath.Clean(dir)) {
		t.Errorf("a python3 on the path has its site-packages, and they are not in %v", list)
	}
}
