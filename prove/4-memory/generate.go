package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"time"

	"gleaner/train/dataset/pack"
)

// classes is how many there are; each is a grating of its own direction and period.
const classes = 9

// room checks the disk before hours of work: the set, whose pages are not quite full.
func room(dir string) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return err
	}
	need := uint64(pictures) * side * side * 3 * 14 / 10
	if have := st.Bavail * uint64(st.Bsize); have < need {
		return fmt.Errorf("%s has %d MB of room, and %d are needed: set TMPDIR to another disk", dir, have>>20, need>>20)
	}
	return nil
}

// generate writes the set as an import does, one picture after the other.
func generate(path string) error {
	began := time.Now()
	f := pack.Format{Width: side, Height: side, Fit: "stretch"}
	w, err := pack.Create(path, f)
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(4, 370))
	pix := make([]byte, f.Bytes())
	for i := range pictures {
		class := i % classes
		draw(pix, class, r)
		src := pack.Source{Path: fmt.Sprintf("class-%d/%06d.jpg", class, i), Width: side, Height: side}
		binary.LittleEndian.PutUint64(src.SHA256[:], uint64(i))
		e := pack.Example{Class: fmt.Sprintf("class-%d", class), Box: [4]float64{0, 0, side, side}, Group: fmt.Sprintf("session %d", i/50)}
		if err := w.Add(src, []pack.Crop{{Example: e, Pixels: pix}}, nil); err != nil {
			return err
		}
	}
	if _, err := w.Finish(); err != nil {
		return err
	}
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	fmt.Printf("%d pictures of %d×%d, %d MB, in %.0f s\n", pictures, side, side, st.Size()>>20, time.Since(began).Seconds())
	return nil
}

// draw fills a picture with a grating of its class, somewhere, and noise.
func draw(pix []byte, class int, r *rand.Rand) {
	dx, dy := 1+class%3, 1+class/3
	phase, bright := r.IntN(32), 40+r.IntN(100)
	noise := r.Uint64()
	for y := range side {
		for x := range side {
			noise = noise*6364136223846793005 + 1442695040888963407 // Knuth's MMIX generator
			v := byte(bright + 60*((x*dx+y*dy+phase)/8%2) + int(noise>>59))
			p := 3 * (y*side + x)
			pix[p], pix[p+1], pix[p+2] = v, v-byte(noise>>61), v
		}
	}
}
