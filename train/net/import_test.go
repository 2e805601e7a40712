package net

import (
	"strings"
	"testing"

	"gleaner/internal/shared"
	"gleaner/model/flat"
	"gleaner/train/engine"
)

func load(t testing.TB, path string) *flat.Model {
	t.Helper()
	m, err := flat.ReadFile(shared.Path(t, "models/models/"+path))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestImportCuts reads every kind of file, and looks at where it is cut and what the network is then.
func TestImportCuts(t *testing.T) {
	two := []Head{{Name: "material", Classes: 6}, {Name: "dirt", Classes: 2}}
	for _, c := range []struct {
		name, file string
		o          ImportOptions
		end        string // of the name of the last layer from the file
		features   int    // that the heads read
	}{
		{"detector, float16", "ssd_oidv4_fp16.tflite", ImportOptions{Heads: two}, "MobilenetV2/Conv_1/Relu6", 1280},
		{"detector, uint8", "coco_ssd_mobilenet_v1_quant.tflite", ImportOptions{Heads: two}, "Conv2d_13_pointwise/Relu6", 768},
		{"embedder, part int8", "mobilenet_v2_035_96_embedder_with_metadata.tflite", ImportOptions{Heads: two}, "Logits/AvgPool", 1280},
		{"embedder, uint8", "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite", ImportOptions{Heads: two}, "AvgPool_1a/AvgPool", 1024},
		{"classifier, int8", "tf2_mobilenet_v2_1.0_224_ptq.tflite", ImportOptions{Heads: two}, "top/Reshape/Reshape", 1280},
		{"classifier, uint8", "mobilenet_v2_1.0_224_quant.tflite", ImportOptions{Heads: two}, "Logits/AvgPool", 1280},
		{"cut, resized", "ssd_oidv4_fp16.tflite", ImportOptions{Heads: two, Input: engine.Shape{96, 128, 3},
			At: "FeatureExtractor/MobilenetV2/expanded_conv_12/add"}, "expanded_conv_12/add", 96},
		{"several depths", "ssd_oidv4_fp16.tflite", ImportOptions{Heads: two, Input: engine.Shape{96, 96, 3},
			At: "FeatureExtractor/MobilenetV2/Conv_1/Relu6,FeatureExtractor/MobilenetV2/expanded_conv_12/add"}, "MobilenetV2/Conv_1/Relu6", 1280 + 96},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, w, err := Import(load(t, c.file), c.o)
			if err != nil {
				t.Fatal(err)
			}
			last := n.Origins()[len(n.Origins())-1]
			if !strings.HasSuffix(last.Layer, c.end) {
				t.Errorf("the last layer of the file is %s, want %s", last.Layer, c.end)
			}
			if got := n.Var("head/dirt/w").Shape[1]; got != c.features {
				t.Errorf("%d features, want %d", got, c.features)
			}
			for _, v := range n.Vars() {
				if len(w[v.Name]) != v.Shape.Size() {
					t.Errorf("%d numbers for %s %v", len(w[v.Name]), v.Name, v.Shape)
				}
			}
			s, err := n.Summarise()
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d layers, %d parameters, %d multiply-accumulates, %d ranges", len(s.Layers), s.Params, s.MACs, len(n.ranges))
		})
	}
}

// TestImportedNamesAreStable holds the variables of an imported network to their digest: checkpoints find weights by them.
func TestImportedNamesAreStable(t *testing.T) {
	for file, want := range map[string]uint64{
		"ssd_oidv4_fp16.tflite":                                 0x12a511f515cc13b1,
		"mobilenet_v1_1.0_224_quant_embedding_extractor.tflite": 0xd84f2d535579a4d,
	} {
		n, _, err := Import(load(t, file), ImportOptions{Heads: []Head{{Name: "class", Classes: 6}}, Norms: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := digest(n); got != want {
			t.Errorf("%q: %#x, the variables are not %#x any more: old checkpoints would not load", file, got, want)
		}
	}
}
