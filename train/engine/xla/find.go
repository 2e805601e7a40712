package xla

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// PluginEnv names the environment variable that says where the plug-in is: its file, or folders with colons between them.
const PluginEnv = "PJRT_PLUGIN_LIBRARY_PATH"

// install is what to do where something is missing.
const install = `install it with: pip install "jax[cuda13]" (or "jax[cuda12]" for an older driver)`

// Plugin is a PJRT plug-in for CUDA and what lies around it.
type Plugin struct {
	Path string // of the plug-in
	// Libraries are NVIDIA's libraries in the order in which they are loaded, where the wheels have them.
	Libraries []string
	// Data is the folder with CUDA's libdevice and ptxas, for XLA's compiler; empty where no wheel has them.
	Data string
	// Missing are libraries that the plug-in needs and no wheel has; the system's loader may have them.
	Missing []string
}

// A MissingError says in one line what is not there and how to get it.
type MissingError struct{ What, Hint string }

func (e *MissingError) Error() string { return e.What + "; " + e.Hint }

// library is one of NVIDIA's libraries: the folders below site-packages/nvidia that may hold it, CUDA 13's first, and the names that
// it has in them.
type library struct {
	name    string
	folders []string
	files   []string
}

// libraries are what JAX loads before its plug-in, in its order (jax_plugins/cuda/__init__.py): what comes later needs what comes
// before, and the loader finds a library by its name once it is loaded.
var libraries = []library{
	{"CUDA runtime", []string{"cu13", "cuda_runtime"}, []string{"libcudart.so.13", "libcudart.so.12"}},
	{"NVRTC", []string{"cu13", "cuda_nvrtc"}, []string{"libnvrtc.so.13", "libnvrtc.so.12"}},
	{"nvJitLink", []string{"cu13", "nvjitlink"}, []string{"libnvJitLink.so.13", "libnvJitLink.so.12"}},
	{"cuBLASLt", []string{"cu13", "cublas"}, []string{"libcublasLt.so.13", "libcublasLt.so.12"}},
	{"cuBLAS", []string{"cu13", "cublas"}, []string{"libcublas.so.13", "libcublas.so.12"}},
	{"NCCL", []string{"nccl"}, []string{"libnccl.so.2"}},
	{"CUPTI", []string{"cu13", "cuda_cupti"}, []string{"libcupti.so.13", "libcupti.so.12"}},
	{"cuSPARSE", []string{"cu13", "cusparse"}, []string{"libcusparse.so.12"}},
	{"cuSOLVER", []string{"cu13", "cusolver"}, []string{"libcusolver.so.12", "libcusolver.so.11"}},
	{"cuFFT", []string{"cu13", "cufft"}, []string{"libcufft.so.12", "libcufft.so.11"}},
	{"NVSHMEM", []string{"nvshmem"}, []string{"libnvshmem_host.so.3"}},
	{"cuDNN", []string{"cudnn"}, []string{"libcudnn.so.9"}},
}

// Find looks for the plug-in and its libraries: at the path if one is given, then where PluginEnv says, then in the site-packages
// of the Python that is active and of the system's. It loads and runs nothing, and downloads nothing.
func Find(path string) (*Plugin, error) {
	if path == "" {
		path = fromEnv(os.Getenv(PluginEnv))
	}
	if path != "" {
		if _, err := os.Stat(path); err != nil {
			return nil, &MissingError{fmt.Sprintf("the PJRT plug-in %s is not there", path), "set " + PluginEnv + " to xla_cuda_plugin.so"}
		}
		return around(path), nil
	}
	for _, site := range sitePackages() {
		for _, cuda := range []string{"xla_cuda13", "xla_cuda12"} {
			if p := filepath.Join(site, "jax_plugins", cuda, "xla_cuda_plugin.so"); isFile(p) {
				return around(p), nil
			}
		}
	}
	return nil, &MissingError{"no PJRT plug-in for CUDA was found in Python's site-packages, nor by " + PluginEnv, install}
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// fromEnv is the plug-in that PluginEnv names: the file itself, or what lies in one of the folders.
func fromEnv(value string) string {
	for _, p := range filepath.SplitList(value) {
		if isFile(p) {
			return p
		}
		for _, name := range []string{"xla_cuda_plugin.so", "pjrt_c_api_cuda_plugin.so", "pjrt-plugin-cuda.so"} {
			if f := filepath.Join(p, name); isFile(f) {
				return f
			}
		}
	}
	return value // so that the message names it
}

// sitePackages are the folders where pip puts wheels, those of an active environment first, newer Pythons before older ones.
func sitePackages() (list []string) {
	var roots []string
	for _, env := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if r := os.Getenv(env); r != "" {
			roots = append(roots, r)
		}
	}
	home, err := os.UserHomeDir()
	if err == nil {
		roots = append(roots, filepath.Join(home, ".local"))
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) { // a python3 on the path belongs to a root
		if isFile(filepath.Join(dir, "python3")) {
			roots = append(roots, filepath.Dir(dir))
			if real, err := filepath.EvalSymlinks(filepath.Join(dir, "python3")); err == nil {
				roots = append(roots, filepath.Dir(filepath.Dir(real)))
			}
		}
	}
	roots = append(roots, "/usr/local", "/usr", "/opt/conda")
	for _, r := range roots {
		for _, pattern := range []string{"lib/python3*/site-packages", "lib/python3*/dist-packages", "lib/python3/dist-packages"} {
			found, _ := filepath.Glob(filepath.Join(r, pattern)) // the pattern is well formed
			slices.Reverse(found)
			for _, f := range found {
				if !slices.Contains(list, f) {
					list = append(list, f)
				}
			}
		}
	}
	return list
}

// around looks for the libraries beside a plug-in: jax_plugins and nvidia are neighbours in site-packages.
func around(path string) *Plugin {
	p := &Plugin{Path: path}
	var roots []string
	for up := filepath.Dir(path); len(roots) < 3 && up != filepath.Dir(up); up = filepath.Dir(up) {
		roots = append(roots, filepath.Join(up, "nvidia"))
	}
	major := "13"
	if strings.Contains(path, "cuda12") {
		major = "12"
	}
	for _, l := range libraries {
		if found := l.find(roots, major); found != "" {
			p.Libraries = append(p.Libraries, found)
		} else {
			p.Missing = append(p.Missing, l.name)
		}
	}
	for _, root := range roots {
		for _, folder := range []string{"cu" + major, "cuda_nvcc"} {
			if dir := filepath.Join(root, folder); p.Data == "" && isDir(filepath.Join(dir, "nvvm")) {
				p.Data = dir
			}
		}
	}
	return p
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// find is the library's file: of the folders of CUDA 13 only where the plug-in is for it.
func (l library) find(roots []string, major string) string {
	for _, root := range roots {
		for _, folder := range l.folders {
			if folder == "cu13" && major != "13" || folder != "cu13" && major == "13" && l.folders[0] == "cu13" {
				continue
			}
			for _, file := range l.files {
				if f := filepath.Join(root, folder, "lib", file); isFile(f) {
					return f
				}
			}
		}
	}
	return ""
}

// Options say how the device is opened.
type Options struct {
	Plugin    string // the plug-in's file; empty: Find looks for it
	Precision Precision
	// Preallocate takes three quarters of the card's memory at once, as JAX does, which never fragments; otherwise memory is taken
	// as it is needed, and others may use the card too.
	Preallocate bool
}

// Device is a card as the plug-in sees it.
type Device struct{ Name string }
