package modeltest

import (
	"testing"

	"gleaner/model"
)

func TestFakeKeepsTheContract(t *testing.T) {
	Run(t, func(testing.TB) model.Runner { return NewFake(Shape{1, 8, 8, 3}, Shape{1, 10}) })
}

func TestFakeComputesWhatItIsTold(t *testing.T) {
	f := NewFake(Shape{1}, Shape{2})
	f.Compute = func(in, out []model.Tensor) error {
		copy(out[0].Data[4:], in[0].Data)
		return nil
	}
	f.In[0].Data[0] = 7
	if err := f.Invoke(); err != nil || f.Out[0].Data[4] != 7 || f.Calls != 1 {
		t.Errorf("%v, outputs %v, calls %d", err, f.Out[0].Data, f.Calls)
	}
}
