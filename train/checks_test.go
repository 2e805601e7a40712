package train

import (
	"errors"
	"math/rand/v2"
	"testing"

	"gleaner/train/dataset"
	"gleaner/train/recipe"
)

var errUnread = errors.New("the picture is gone")

// lost is a set whose second half cannot be read any more.
type lost struct{ dataset.Set }

func (l lost) Input(dst []float32, i int, r *rand.Rand) error {
	if i >= l.Len()/2 {
		return errUnread
	}
	return l.Set.Input(dst, i, r)
}

// TestPlainBatchesUnread: statistics are not measured on fewer pictures where one cannot be read, but the error is told.
func TestPlainBatchesUnread(t *testing.T) {
	o := options(t, garments(t, 100), "val=0", "keep=last")
	d, err := recipe.Open(t.Context(), &o, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{o: o, data: &recipe.Data{Train: lost{d.Train}}, perEpoch: 6}
	for _, e := range r.plainBatches {
		err = e
	}
	if !errors.Is(err, errUnread) {
		t.Errorf("got %v", err)
	}
}
