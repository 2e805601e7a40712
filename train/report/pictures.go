package report

import (
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/capture"
	"gleaner/train/dataset"
	"gleaner/train/judge"
)

// shown is a set as judge shows it.
type shown struct {
	in  *Input
	set dataset.Set
}

func (in *Input) shown(set dataset.Set) judge.Pictures { return shown{in, set} }

// find is where example i of the set lies; nil where it is no picture.
func (s shown) find(i int) (judge.Pictures, int) {
	set := s.set
	for part, ok := set.(*dataset.Subset); ok; part, ok = set.(*dataset.Subset) {
		set, i = part.Set, part.Index[i]
	}
	if joined, ok := set.(interface{ Unwrap() dataset.Set }); ok {
		set = joined.Unwrap()
	}
	p, _ := set.(judge.Pictures)
	return p, i
}

func (s shown) Name(i int) string { return s.in.name(s.set.Name(i)) }

func (s shown) Group(i int) string {
	if p, at := s.find(i); p != nil {
		return p.Group(at)
	}
	return ""
}

func (s shown) Attributes(i int) map[string]string {
	if p, at := s.find(i); p != nil {
		return p.Attributes(at)
	}
	return nil
}

func (s shown) Picture(i int) (capture.Image, error) {
	if p, at := s.find(i); p != nil {
		return p.Picture(at)
	}
	return capture.Image{}, errors.New("the examples are no pictures")
}

// name is a picture's path within what the options name; of one that lies elsewhere the end, which tells of no machine.
func (in *Input) name(path string) string {
	path = filepath.ToSlash(path)
	o := in.Options
	for _, root := range []string{o.Data, filepath.Dir(o.Data), o.Test, o.Val} {
		if rest, ok := strings.CutPrefix(path, filepath.ToSlash(filepath.Clean(root))+"/"); ok && root != "" {
			return rest
		}
	}
	parts := strings.Split(path, "/")
	if filepath.IsAbs(path) || parts[0] == ".." {
		return strings.Join(parts[max(1, len(parts)-2):], "/")
	}
	return path
}

// some is n examples of a set, each class with its share, drawn by a seed; all of it where it has no more.
func some(set dataset.Set, n int, seed uint64) dataset.Set {
	if n >= set.Len() {
		return set
	}
	by := make([][]int, len(set.Heads()[0].Labels))
	for i := range set.Len() {
		if l := set.Label(i, 0); l >= 0 {
			by[l] = append(by[l], i)
		}
	}
	r := rand.New(rand.NewPCG(seed, 0x5A3E))
	part := &dataset.Subset{Set: set}
	for _, all := range by {
		r.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
		take := int(math.Round(float64(len(all)) * float64(n) / float64(set.Len())))
		part.Index = append(part.Index, all[:min(max(take, 1), len(all))]...)
	}
	slices.Sort(part.Index)
	return part
}

// most is how many pictures the network looks at for the report, at most: as many as take a small part of a run's work.
func (in *Input) most() int {
	const least, greatest, work = 2000, 20000, 200e9 // work: multiply-accumulates, some seconds of a processor
	return int(min(max(work/float64(max(in.MACs, 1)), least), greatest))
}
