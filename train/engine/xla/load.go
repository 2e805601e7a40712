//go:build cgo && !nonative

package xla

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
*/
import "C"

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"

	"github.com/gomlx/go-xla/pkg/pjrt"
	"k8s.io/klog/v2"
)

// loading keeps two goroutines from loading at once: the environment is the process's.
var loading sync.Mutex

// load brings the plug-in and NVIDIA's libraries into the process, where they stay.
func (p *Plugin) load() (*pjrt.Plugin, error) {
	loading.Lock()
	defer loading.Unlock()
	for _, file := range p.Libraries {
		if err := dlopen(file); err != nil {
			return nil, &MissingError{fmt.Sprintf("load %s: %v", filepath.Base(file), err), install}
		}
	}
	if err := environment(p.Data); err != nil {
		return nil, err
	}
	// go-xla says on standard error what it also returns.
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	path, err := filepath.Abs(p.Path)
	if err != nil {
		return nil, err
	}
	plugin, err := pjrt.GetPlugin(path)
	if err != nil {
		return nil, &MissingError{"load the PJRT plug-in: " + oneLine(err), p.hint()}
	}
	return plugin, nil
}

// hint is what to do when the plug-in does not load or finds no card.
func (p *Plugin) hint() string {
	if len(p.Missing) > 0 {
		return "beside it there is no " + strings.Join(p.Missing, ", ") + ": " + install
	}
	return "is NVIDIA's driver loaded (nvidia-smi tells), and is it new enough for the plug-in?"
}

// environment is what XLA and go-xla read. go-xla 0.1.4 would point XLA at a folder of its author's home after loading a plug-in
// with "cuda" in its name, unless its check of the libraries is switched off; XLA is pointed at the wheels' folder instead.
func environment(data string) error {
	if err := os.Setenv("GOPJRT_CUDA_CHECKS", "0"); err != nil {
		return err
	}
	flags := os.Getenv("XLA_FLAGS")
	if data == "" || strings.Contains(flags, "xla_gpu_cuda_data_dir") {
		return nil
	}
	return os.Setenv("XLA_FLAGS", strings.TrimSpace(flags+" --xla_gpu_cuda_data_dir="+data))
}

// dlopen loads a library for good. As JAX has it, its symbols stay its own: whoever wants it asks for it by its name.
func dlopen(file string) error {
	name := C.CString(file)
	defer C.free(unsafe.Pointer(name))
	if C.dlopen(name, C.RTLD_NOW|C.RTLD_LOCAL) == nil {
		return fmt.Errorf("%s", C.GoString(C.dlerror()))
	}
	return nil
}

// client opens the device.
func client(o Options) (*pjrt.Client, error) {
	p, err := Find(o.Plugin)
	if err != nil {
		return nil, err
	}
	plugin, err := p.load()
	if err != nil {
		return nil, err
	}
	var options pjrt.NamedValuesMap
	if strings.Contains(filepath.Base(p.Path), "cuda") {
		options = pjrt.NamedValuesMap{"preallocate": o.Preallocate}
	}
	c, err := plugin.NewClient(options)
	if err != nil {
		return nil, &MissingError{"open the device: " + oneLine(err), p.hint()}
	}
	if c.NumDevices() == 0 {
		return nil, &MissingError{"the PJRT plug-in sees no device", p.hint()}
	}
	return c, nil
}

// Devices opens the device, says what it is, and lets it go. A plug-in may crash the process that loads it: who only wants to
// know calls it in a child process.
func Devices(o Options) (list []Device, err error) {
	c, err := client(o)
	if err != nil {
		return nil, err
	}
	for _, d := range c.AddressableDevices() {
		about, err := d.GetDescription()
		if err != nil {
			return nil, fmt.Errorf("describe the device: %s", oneLine(err))
		}
		list = append(list, Device{c.Platform() + " " + about.DebugString()})
	}
	if err := c.Destroy(); err != nil {
		return nil, fmt.Errorf("close the device: %s", oneLine(err))
	}
	return list, nil
}
