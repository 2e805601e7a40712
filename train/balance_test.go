package train

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// lopsided is an idx folder of 10×10 pictures of three classes that differ in brightness: 60, 12 and 20 of them.
func lopsided(t *testing.T) string {
	t.Helper()
	counts := []int{60, 12, 20}
	r := rand.New(rand.NewPCG(1, 1))
	images := binary.BigEndian.AppendUint32([]byte{0, 0, 8, 3}, 92)
	images = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(images, 10), 10)
	labels := binary.BigEndian.AppendUint32([]byte{0, 0, 8, 1}, 92)
	for c, n := range counts {
		for range n {
			for range 100 {
				images = append(images, byte(40+80*c+r.IntN(30)))
			}
			labels = append(labels, byte(c))
		}
	}
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "train-images-idx3-ubyte"), images, 0o644),
		os.WriteFile(filepath.Join(dir, "train-labels-idx1-ubyte"), labels, 0o644)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestBalanced: an epoch has as many steps as its balance says (a quarter of the pictures validates: 45, 9 and 15 train), and a run
// that was interrupted comes to the same, byte for byte, with all that changes and mixes pictures.
func TestBalanced(t *testing.T) {
	dir := lopsided(t)
	for balance, perEpoch := range map[string]int{"none": 69 / 8, "weights": 69 / 8, "over": 3 * 45 / 8, "under": 3 * 9 / 8} {
		t.Run(balance, func(t *testing.T) {
			with := []string{"net=dense", "epochs=2", "batch=8", "augment=belt", "mixup=0.2", "cutout=3", "erase=0.5", "balance=" + balance}
			calm := options(t, dir, with...)
			if _, _, err := fit(t, calm, false); err != nil {
				t.Fatal(err)
			}
			if rows := logged(t, calm.Out); len(rows) != 3 || rows[1][1] != strconv.Itoa(perEpoch) || rows[2][1] != strconv.Itoa(2*perEpoch) {
				t.Errorf("the log has %v, want %d steps an epoch", rows, perEpoch)
			}
			o := options(t, dir, with...)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if _, err := Fit(ctx, o, false, Reporter{Step: func(Progress) { cancel() }}); !errors.Is(err, ErrInterrupted) {
				t.Fatalf("got %v", err)
			}
			if _, _, err := fit(t, o, true); err != nil {
				t.Fatal(err)
			}
			same(t, calm.Out, o.Out)
		})
	}
}
