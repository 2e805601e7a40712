package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"gleaner/capture/cv"
	"gleaner/train/dataset/importer"
	"gleaner/train/dataset/labels"
)

const rounds = 5

// rate is pictures per second of processor time, by decoding alone and by the import; and per second of the clock.
type rate struct{ decode, bring, decodeWall, bringWall float64 }

func (r rate) ratio() float64 { return r.bring / r.decode }

func (r rate) String() string {
	return fmt.Sprintf("%.3f of the decoder alone (%.0f and %.0f pictures per CPU-second; by the clock %.3f)", r.ratio(), r.bring, r.decode, r.bringWall/r.decodeWall)
}

// enough is how many pictures an import has at least: with fewer, opening and closing the set is half the work.
const enough = 500

// importRate decodes and imports the pictures of a folder in turn, and takes the medians.
func importRate(root, dir string) (rate, error) {
	list, err := labels.Open(root, labels.Options{})
	if err != nil {
		return rate{}, err
	}
	if len(list.Items) < enough {
		if list, err = copies(root, filepath.Join(dir, filepath.Base(root)), (enough+len(list.Items)-1)/len(list.Items)); err != nil {
			return rate{}, err
		}
	}
	var all [4][]float64
	n := float64(len(list.Items))
	for round := range rounds + 1 {
		d, dWall, err := clocked(func() error { return decodeAll(list) })
		if err != nil {
			return rate{}, err
		}
		b, bWall, err := clocked(func() error { return importAll(list, dir) })
		if err != nil {
			return rate{}, err
		}
		if round == 0 {
			continue // warms up
		}
		for k, v := range []float64{n / d, n / b, n / dWall, n / bWall} {
			all[k] = append(all[k], v)
		}
		fmt.Printf("%s: %.0f pictures per CPU-second decoded, %.0f imported\n", filepath.Base(root), n/d, n/b)
	}
	for k := range all {
		slices.Sort(all[k])
	}
	return rate{all[0][rounds/2], all[1][rounds/2], all[2][rounds/2], all[3][rounds/2]}, nil
}

// clocked is the seconds of processor time and of the clock that something takes.
func clocked(f func() error) (cpu, wall float64, err error) {
	runtime.GC()
	var before, after syscall.Rusage
	began := time.Now()
	err = errors.Join(syscall.Getrusage(syscall.RUSAGE_SELF, &before), f(), syscall.Getrusage(syscall.RUSAGE_SELF, &after))
	spent := func(r syscall.Rusage) float64 {
		return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
	}
	return spent(after) - spent(before), time.Since(began).Seconds(), err
}

// decodeAll reads and decodes every picture on all cores, and does nothing with it.
func decodeAll(list *labels.List) error {
	next := make(chan string)
	errs := make(chan error, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			d := cv.NewDecoder()
			defer d.Close()
			for path := range next {
				file, err := os.ReadFile(path)
				if err == nil {
					_, err = d.Decode(file)
				}
				if err != nil {
					select {
					case errs <- err:
					default:
					}
				}
			}
		})
	}
	for _, it := range list.Items {
		next <- filepath.Join(list.Root, filepath.FromSlash(it.Picture))
	}
	close(next)
	wg.Wait()
	close(errs)
	return <-errs
}

// importAll imports them with the options of data import.
func importAll(list *labels.List, dir string) error {
	path := filepath.Join(dir, "rate.set")
	_, err := importer.Import(context.Background(), path, list, importer.Options{Size: 160, NewDecoder: func() importer.Decoder { return cv.NewDecoder() }})
	return errors.Join(err, os.Remove(path))
}

// copies makes a folder with several copies of another, each in a folder of its own.
func copies(root, to string, n int) (*labels.List, error) {
	for i := range n {
		if err := os.CopyFS(filepath.Join(to, fmt.Sprint(i)), os.DirFS(root)); err != nil {
			return nil, err
		}
	}
	return labels.Open(to, labels.Options{})
}
