package split

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gleaner/train/dataset/pack"
)

// drawn is a random data set: classes of uneven size, pictures with examples of several groups, and clusters that go across groups.
func drawn(t *rapid.T) (examples []pack.Example, cluster []int) {
	n := rapid.IntRange(20, 200).Draw(t, "n")
	for i := range n {
		e := pack.Example{Class: rapid.SampledFrom([]string{"a", "a", "a", "b", "b", "c"}).Draw(t, "class")}
		picture := rapid.IntRange(max(0, i-1), i).Draw(t, "picture")
		e.Source.SHA256[0], e.Source.SHA256[1] = byte(picture), byte(picture>>8)
		e.Source.Path = fmt.Sprint(picture)
		if rapid.Bool().Draw(t, "grouped") {
			e.Group = fmt.Sprint(rapid.IntRange(0, n/3).Draw(t, "group"))
		}
		examples = append(examples, e)
		cluster = append(cluster, rapid.IntRange(max(0, i-1), i).Draw(t, "cluster"))
	}
	return examples, cluster
}

func TestNothingIsTornApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		examples, cluster := drawn(t)
		seed := rapid.Uint64().Draw(t, "seed")
		part, err := Parts(examples, cluster, []float64{0.7, 0.15, 0.15}, seed)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parts(examples, cluster, []float64{0.7, 0.15, 0.15}, seed)
		if err != nil {
			t.Fatal(err)
		}
		groups, clusters, pictures := map[string]int{}, map[int]int{}, map[string]int{}
		for i, e := range examples {
			if part[i] != again[i] {
				t.Fatal("the same seed gives other parts")
			}
			if p, ok := groups[e.Group]; ok && e.Group != "" && p != part[i] {
				t.Fatalf("group %s is torn apart", e.Group)
			}
			if p, ok := clusters[cluster[i]]; ok && p != part[i] {
				t.Fatalf("cluster %d is torn apart", cluster[i])
			}
			if p, ok := pictures[e.Source.Path]; ok && p != part[i] {
				t.Fatalf("picture %s is torn apart", e.Source.Path)
			}
			groups[e.Group], clusters[cluster[i]], pictures[e.Source.Path] = part[i], part[i], part[i]
		}
	})
}

func TestClassesKeepTheirShare(t *testing.T) {
	var examples []pack.Example
	for i := range 600 {
		e := pack.Example{Class: "common"}
		if i%20 == 0 {
			e.Class = "rare"
		}
		e.Source.SHA256[0], e.Source.SHA256[1] = byte(i), byte(i>>8)
		e.Group = fmt.Sprint(i / 2)
		examples = append(examples, e)
	}
	for seed := range uint64(5) {
		part, err := Folds(examples, nil, 5, seed)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for i, e := range examples {
			got[fmt.Sprint(e.Class, part[i])]++
		}
		for f := range 5 {
			if n := got[fmt.Sprint("rare", f)]; n != 6 {
				t.Errorf("seed %d: fold %d has %g of 30 rare ones", seed, f, n)
			}
			if n := got[fmt.Sprint("common", f)]; math.Abs(n-114) > 3 {
				t.Errorf("seed %d: fold %d has %g of 570 common ones", seed, f, n)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	e := []pack.Example{{Class: "a"}, {Class: "b"}}
	e[1].Source.SHA256[0] = 1
	for name, err := range map[string]error{
		"no examples": second(Parts(nil, nil, []float64{0.5, 0.5}, 1)),
		"one share":   second(Parts(e, nil, []float64{1}, 1)),
		"too much":    second(Parts(e, nil, []float64{0.8, 0.8}, 1)),
		"rare class":  second(Folds(e, nil, 5, 1)),
	} {
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := Folds(e, nil, 2, 1); err == nil || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("the class is not named: %v", err)
	}
}

func second(_ []int, err error) error { return err }

func TestSaveAndLoad(t *testing.T) {
	dir := t.TempDir()
	s := &pack.Set{Path: "x", Examples: []pack.Example{{Class: "a"}, {Class: "b"}}}
	s.Examples[1].Source.Path = "여기/b.jpg"
	var b bytes.Buffer
	if err := errors.Join(Write(&b, s, []int{0, 1}, []float64{0.5, 0.5}, 3), os.WriteFile(dir+"/s.json", b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
	part, err := Load(dir+"/s.json", s)
	if err != nil || part[0] != 0 || part[1] != 1 {
		t.Errorf("%v, %v", part, err)
	}
	s.Identity[0] = 9
	if _, err := Load(dir+"/s.json", s); err == nil || !strings.Contains(err.Error(), "another data set") {
		t.Errorf("another set's split: %v", err)
	}
}
