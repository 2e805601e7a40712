package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gleaner/internal/shared"
	"gleaner/model/bundle"
	"gleaner/model/bundle/catalogue"
	"gleaner/prove/internal/cases"
)

// noise is the same random bytes each time.
func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// prepare finds the test material and lays a sound bundle beside the store.
func (b *bench) prepare() error {
	if b.shared = shared.Root(); b.shared == "" {
		return errors.New("test material absent: set GLEANER_SHARED")
	}
	pictures, err := filepath.Glob(filepath.Join(b.shared, "models", "images", "*.jpg"))
	if err != nil || len(pictures) == 0 {
		return fmt.Errorf("no picture in the test material: %v", err)
	}
	data, err := os.ReadFile(pictures[0])
	if err != nil {
		return err
	}
	b.picture = b.File("그림 폴더/병 하나.jpg", data)
	e, err := catalogue.Find("garments")
	if err != nil {
		return err
	}
	m, files, err := catalogue.Build(context.Background(), e, "", catalogue.DefaultOptions(), nil)
	if err != nil {
		return err
	}
	_, err = bundle.Write(filepath.Join(b.Dir, "sound"), m, files)
	return err
}

// damaged is a copy of the sound bundle with one file changed; with its sum in bundle.json put right, or not.
func (b *bench) damaged(name, file string, sumRight bool, change func([]byte) []byte) string {
	dir := filepath.Join(b.Dir, name)
	entries, err := os.ReadDir(filepath.Join(b.Dir, "sound"))
	if err != nil {
		panic(err)
	}
	all := map[string][]byte{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(b.Dir, "sound", e.Name()))
		if err != nil {
			panic(err)
		}
		all[e.Name()] = data
	}
	old := sum(all[file])
	if all[file] = change(all[file]); all[file] == nil {
		delete(all, file)
	} else if sumRight {
		all[bundle.ManifestFile] = []byte(strings.ReplaceAll(string(all[bundle.ManifestFile]), old, sum(all[file])))
	}
	for n, data := range all {
		b.File(filepath.Join(name, n), data)
	}
	return dir
}

func (b *bench) models() []cases.Case {
	cut := func(d []byte) []byte { return d[:len(d)/2] }
	random := func(d []byte) []byte { return noise(len(d)) }
	empty := func([]byte) []byte { return []byte{} }
	gone := func([]byte) []byte { return nil }
	once := func(dir string) []string { return []string{"once", b.store, "--classify", dir, b.picture} }
	add := func(path string, more ...string) []string {
		return append([]string{"models", "add", b.store, "--colour=rgb", "--head=probs", "--mean=127.5", "--std=127.5", path}, more...)
	}
	model := bundle.ModelFile
	sound, err := os.ReadFile(filepath.Join(b.Dir, "sound", model))
	if err != nil {
		panic(err)
	}
	changed := append([]byte(nil), sound...)
	changed[len(changed)/2] ^= 1
	inShared := func(name string) string { return filepath.Join(b.shared, "models", "models", name) }
	labels := filepath.Join(b.shared, "models", "labels", "imagenet_labels.txt")
	rank := func(d []byte) []byte { return regexp.MustCompile(`"width": \d+`).ReplaceAll(d, []byte(`"width": 97`)) }
	tests := []cases.Case{
		cases.Refused("bundle without its model", []string{"b-gone", model}, once(b.damaged("b-gone", model, true, gone))...),
		cases.Refused("bundle with an empty model", []string{"b-empty", model}, once(b.damaged("b-empty", model, true, empty))...),
		cases.Refused("bundle with a truncated model", []string{"b-cut", model}, once(b.damaged("b-cut", model, true, cut))...),
		cases.Refused("bundle with a random model", []string{"b-random", model}, once(b.damaged("b-random", model, true, random))...),
		cases.Refused("bundle whose model is another size", []string{"b-rank", "97"}, once(b.damaged("b-rank", bundle.ManifestFile, false, rank))...),
		cases.Refused("label count that is not the model's", []string{"b-labels", "labels"},
			once(b.damaged("b-labels", "labels.txt", true, func(d []byte) []byte { return append(d, "one more\n"...) }))...),
		cases.Refused("checksum mismatch, both sums said", []string{"b-sum", sum(sound), sum(changed)},
			once(b.damaged("b-sum", model, false, func([]byte) []byte { return changed }))...),
		cases.Refused("bundle.json that is no JSON", []string{"b-json", bundle.ManifestFile},
			once(b.damaged("b-json", bundle.ManifestFile, false, random))...),
		cases.Refused("bundle that does not exist", []string{"b-none"}, once(filepath.Join(b.Dir, "b-none"))...),
		cases.Refused("run with a damaged bundle", []string{"camera a", "b-cut"}, "run", b.store, "--set=cameras[0].name=a",
			"--set=cameras[0].source='belt:'", "--set=web.listen=", "--set=cameras[0].classify.models=["+filepath.Join(b.Dir, "b-cut")+"]"),
		cases.Refused("run with a bundle that is not installed", []string{"camera a", "garmnts"}, "run", b.store, "--set=cameras[0].name=a",
			"--set=cameras[0].source='belt:'", "--set=web.listen=", "--set=cameras[0].classify.models=[garmnts]"),
		cases.Refused("add a model that does not exist", []string{"none.tflite"}, add(filepath.Join(b.Dir, "none.tflite"))...),
		cases.Refused("add an empty model", []string{"empty.tflite"}, add(b.File("empty.tflite", nil))...),
		cases.Refused("add a truncated model", []string{"cut.tflite"}, add(b.File("cut.tflite", cut(sound)))...),
		cases.Refused("add a random model", []string{"random.tflite"}, add(b.File("random.tflite", noise(50000)))...),
		cases.Refused("add with the wrong number of labels", []string{"2 labels, but the model has 1001"},
			add(inShared("mobilenet_v2_1.0_224_quant.tflite"), b.File("few.txt", []byte("a\nb\n")))...),
		cases.Refused("add without what the file does not say", []string{"does not say everything", "--head"}, "models", "add", b.store, inShared("mobilenet_v1_0.25_128_quant_edgetpu.tflite"), labels),
	}
	return append(tests, cases.Case{Name: "EdgeTPU model without its delegate", Try: func() error {
		if err := works(add(inShared("mobilenet_v1_0.25_128_quant_edgetpu.tflite"), labels, "--name=edge", "--background=yes"), "edge-"); err != nil {
			return fmt.Errorf("add: %w", err)
		}
		code, errs, err := cases.Gleaner("once", b.store, "--classify", "edge", b.picture)
		if err != nil {
			return err
		}
		return cases.Told(code, errs, cases.BadInput, 0, []string{"edge", "EdgeTPU", "libedgetpu"})
	}})
}
