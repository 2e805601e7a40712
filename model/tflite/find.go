package tflite

import "path/filepath"

// Delegate is a plug-in that this machine has or could have.
type Delegate struct {
	Library string `json:"library"`          // what to write under delegates
	Device  string `json:"device"`           // what it drives
	Ready   bool   `json:"ready"`            // it loads and makes a delegate
	Present bool   `json:"present"`          // it is installed
	Reason  string `json:"reason,omitempty"` // why it is not ready
	Hint    string `json:"hint,omitempty"`   // what to do about it; DELEGATES.md has the whole way
}

// known are the plug-ins that go by a fixed name, with what is missing where they are absent and where they fail.
var known = []struct{ library, device, absent, broken string }{
	{"libedgetpu.so.1", "Coral EdgeTPU, on USB or PCIe",
		"for a Coral: install libedgetpu1-std",
		"plug the Coral in, and give the user its group: plugdev (USB) or apex (PCIe, with gasket-dkms)"},
	{"libtensorflowlite_gpu_delegate.so", "GPU, by OpenCL or OpenGL ES 3.1",
		"for a GPU: build it from TensorFlow 2.9 and put it in /usr/local/lib",
		"install the GPU's OpenCL driver until clinfo lists it, and give the user the groups render and video"},
	{"libvx_delegate.so", "VeriSilicon NPU, as on NXP i.MX 8M Plus and i.MX 93",
		"for that NPU: it comes with the board's own system image",
		"load the kernel module galcore, and give the user access to /dev/galcore"},
	{"libarmnnDelegate.so", "Arm NN, for Mali GPUs and Neon",
		"for Arm NN: install its release with the TensorFlow Lite delegate",
		"set its option backends, such as GpuAcc,CpuAcc"},
}

// Find tries the plug-ins that are known by name, and those of o, in child processes; it needs ProbeChild in main. A
// plug-in that is ready may still claim nothing of a particular network: the ladder tells.
func Find(o Options) []Delegate {
	var found []Delegate
	mine := map[string]bool{}
	for _, e := range o.Delegates {
		mine[filepath.Base(e.Library)] = true
		d := Delegate{Library: e.Library, Device: "as configured"}
		for _, k := range known {
			if k.library == filepath.Base(e.Library) {
				d.Device = k.device
				d.Hint = k.broken
			}
		}
		found = append(found, tried(d, e, o))
	}
	for _, k := range known {
		if mine[k.library] {
			continue
		}
		d := tried(Delegate{Library: k.library, Device: k.device, Hint: k.broken}, External{Library: k.library}, o)
		if !d.Present {
			d.Hint = k.absent
		}
		found = append(found, d)
	}
	return found
}

// tried fills in what became of a plug-in.
func tried(d Delegate, e External, o Options) Delegate {
	err := probePlugin(e, o)
	d.Ready = err == nil
	d.Present = err == nil || err.Error() != errNoFile.Error()
	if d.Ready {
		d.Hint = ""
		return d
	}
	d.Reason = err.Error()
	return d
}
