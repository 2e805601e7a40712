package net

import (
	"bytes"
	"encoding/json"
	"testing"
)

// TestPublishedWork holds the multiply-accumulates of the backbones to what is published: 4.1 G for ResNet-50 v1.5 (NVIDIA's
// model card), 0.30 G for MobileNetV2 (Sandler et al. 2018, table 4), and to the model table of torchvision for the others.
func TestPublishedWork(t *testing.T) {
	for name, want := range map[string]float64{
		"resnet50": 4.1e9, "mobilenetv2": 0.30e9, "vgg16": 15.5e9, "resnet18": 1.82e9, "densenet121": 2.83e9,
	} {
		n, err := New(name, Options{Heads: []Head{{Name: "class", Classes: 1000}}})
		if err != nil {
			t.Fatal(err)
		}
		s, err := n.Summarise()
		if err != nil {
			t.Fatal(err)
		}
		if got := float64(s.MACs); got < 0.99*want || got > 1.01*want {
			t.Errorf("%s takes %.4g multiply-accumulates, and %.4g are published", name, got, want)
		}
		sum := 0
		for _, r := range s.Layers {
			sum += r.Params
		}
		if sum != s.Params || s.Params != params(n) {
			t.Errorf("%s: the layers have %d parameters, the network %d", name, sum, s.Params)
		}
	}
}

func TestSummaryTable(t *testing.T) {
	n, err := New("cnn-bn", small["cnn-bn"])
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Freeze("conv1"); err != nil {
		t.Fatal(err)
	}
	s, err := n.Summarise()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(s.Layers[0])
	if want := `{"name":"conv1a","kind":"conv 3×3, norm, relu","out":[16,16,8],"params":232,"macs":55296,"frozen":true}`; err != nil || string(b) != want {
		t.Errorf("the first layer is %s, want %s", b, want)
	}
	var out bytes.Buffer
	if err := n.Summary(&out); err != nil || bytes.Count(out.Bytes(), []byte("\n")) != len(s.Layers)+2 {
		t.Errorf("%v, and the table is\n%s", err, &out)
	}
	t.Logf("\n%s", &out)
}
