package ref_test

import (
	"testing"

	"gleaner/train/engine/enginetest"
	"gleaner/train/engine/ref"
)

func TestGradients(t *testing.T) {
	for _, c := range enginetest.Cases() {
		n, err := c.Net()
		if err != nil {
			t.Fatal(err)
		}
		if c.Stepped || n.Params == nil {
			continue
		}
		worst, where, err := enginetest.CheckGradients(n, enginetest.Differences{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-50s %.1e", c.Name, worst)
		if !(worst <= 1e-6) {
			t.Errorf("%g: %s", worst, where)
		}
	}
}

func TestConformance(t *testing.T) {
	b := ref.New[float32]()
	defer b.Close()
	enginetest.Conform(t, b, 1e-5)
}
