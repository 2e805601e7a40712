package main

import (
	"os"
	"path/filepath"
	"time"

	"gleaner/model/tflite"
)

// badPlugins are the ways of a plug-in to fail; in each the rungs below must run.
func badPlugins(dir, good, network string) ([]oneCase, error) {
	built := map[string]string{}
	for name, flag := range map[string]string{"crashing": "-DCRASH_AT_LOAD", "lacking": "-DNO_FUNCTIONS", "gpu": "-DGPU"} {
		lib, err := compile(dir, name, flag)
		if err != nil {
			return nil, err
		}
		built[name] = lib
	}
	hang := with(good, "do", "hang")
	hang.ProbeTimeout = 2 * time.Second
	var cases []oneCase
	for _, c := range []struct {
		name string
		o    tflite.Options
		want string
	}{
		{"plug-in: the GPU delegate's own functions", with(built["gpu"]), runs},
		{"plug-in: absent", with("/nowhere/libplug.so"), "no such file"},
		{"plug-in: not installed", with("libnosuchplug.so.1"), "no such file"},
		{"plug-in: not a library", with(network), "cannot be loaded: "},
		{"plug-in: crashes at load", with(built["crashing"]), "crashed while loading: signal: segmentation fault"},
		{"plug-in: lacks its functions", with(built["lacking"]), "is no delegate plug-in: it lacks the function tflite_plugin_create_delegate"},
		{"plug-in: finds no device", with(good, "do", "fail"), "made no delegate: no device is plugged in"},
		{"plug-in: crashes while making a delegate", with(good, "do", "crash"), "crashed while making a delegate: signal: segmentation fault"},
		{"plug-in: calls exit", with(good, "do", "exit"), "ended the process while making a delegate: exit status 3"},
		{"plug-in: hangs", hang, "gave no answer within 2s while making a delegate"},
		{"plug-in: refuses the network", with(good, "do", "refuse"), "refused this model: this model is too large for the device"},
		{"plug-in: crashes on the network", with(good, "do", "crash-prepare"), "crashed while taking the model: signal: segmentation fault"},
		{"plug-in: crashes while computing", with(good, "do", "crash-compute"), "crashed while computing: signal: segmentation fault"},
		{"plug-in: fails to compute", with(good, "do", "fail-compute"), "failed to compute: the device is gone"},
		{"plug-in: claims nothing", with(good, "op", "999"), none},
	} {
		cases = append(cases, oneCase{c.name, network, c.o, c.want, 0})
	}
	return cases, nil
}

// badFiles are files that nothing can run: one clear error each.
func badFiles(dir string, path func(string) string) ([]oneCase, error) {
	whole, err := os.ReadFile(path("face_detection_short_range"))
	if err != nil {
		return nil, err
	}
	noise := make([]byte, 9000)
	for i := range noise {
		noise[i] = byte(i*i>>5 ^ i*11)
	}
	copy(noise[4:], "TFL3")
	half, random := filepath.Join(dir, "half.tflite"), filepath.Join(dir, "random.tflite")
	if err := os.WriteFile(half, whole[:len(whole)/2], 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(random, noise, 0o600); err != nil {
		return nil, err
	}
	edge, double := path("mobilenet_v1_0.25_128_quant_edgetpu"), path("model_invoking_error")
	var cases []oneCase
	for _, c := range []struct{ name, path, want string }{
		{"file: truncated", half, "is unusable: "},
		{"file: random behind the identifier", random, "is unusable: "},
		{"file: missing", filepath.Join(dir, "none.tflite"), "cannot be read: no such file or directory"},
		{"file: for the EdgeTPU, without its delegate", edge, "needs the operator edgetpu-custom-op, which the EdgeTPU delegate provides: install libedgetpu1-std and set delegates"},
		{"file: an operator that nobody has", double, "needs the operator fake-op-double"},
	} {
		cases = append(cases, oneCase{c.name, c.path, tflite.DefaultOptions(), "error: model " + c.path + " " + c.want, 0})
	}
	return cases, nil
}
