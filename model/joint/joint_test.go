package joint

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"gleaner/model/flat"
)

func waste() []Head {
	return []Head{{"class", 0, []string{"can", "glass", "paper"}}, {"dirt", 1, []string{"clean", "dirty", "vile"}}, {"wet", 2, []string{"no", "yes"}}}
}

var rules = []Rule{{"dirt", "dirty", "general"}, {"wet", "yes", "paper"}, {"dirt", "vile", "bin"}}

// TestCombine holds the joined probabilities against the sum over all combinations of labels, each judged by Truth.
func TestCombine(t *testing.T) {
	j, err := New(waste(), rules)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"can", "glass", "paper", "general", "bin"}; !slices.Equal(j.Labels(), want) {
		t.Fatalf("labels %v, want %v", j.Labels(), want)
	}
	for _, p := range [][][]float32{
		{{0.5, 0.3, 0.2}, {0.6, 0.3, 0.1}, {0.8, 0.2}},
		{{1, 0, 0}, {0, 1, 0}, {0, 1}},
		{{0.2, 0.2, 0.6}, {0, 0, 1}, {0.5, 0.5}},
		{{0.2, 0.2, 0.6}, {1, 0, 0}, {1, 0}},
	} {
		want := make([]float64, 5)
		for a, pa := range p[0] {
			for b, pb := range p[1] {
				for c, pc := range p[2] {
					want[j.Truth([]int{a, b, c})] += float64(pa) * float64(pb) * float64(pc)
				}
			}
		}
		got := make([]float32, 5)
		got[3] = 9 // what is there before does not count
		if n := testing.AllocsPerRun(5, func() { j.Combine(got, p) }); n > 0 {
			t.Errorf("%g allocations", n)
		}
		sum := 0.0
		for i, v := range got {
			sum += float64(v)
			if math.Abs(float64(v)-want[i]) > 1e-6 {
				t.Errorf("%v give %v, want %v", p, got, want)
				break
			}
		}
		if math.Abs(sum-1) > 1e-6 {
			t.Errorf("%v sum to %g", got, sum)
		}
	}
}

func TestTruth(t *testing.T) {
	j, err := New(waste(), rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		labels     []int
		class      string
		attributes map[string]string
		want       string // empty: not known
	}{
		{[]int{0, 0, 0}, "can", map[string]string{"dirt": "clean", "wet": "no"}, "can"},
		{[]int{0, 1, 1}, "can", map[string]string{"dirt": "dirty", "wet": "yes"}, "general"},
		{[]int{0, 2, 1}, "can", map[string]string{"dirt": "vile", "wet": "yes"}, "paper"},
		{[]int{0, 2, -1}, "can", map[string]string{"dirt": "vile"}, "bin"},
		{[]int{0, -1, -1}, "can", nil, "can"},
		{[]int{-1, 1, 0}, "", map[string]string{"dirt": "dirty"}, "general"},
		{[]int{-1, 0, 0}, "", nil, ""},
	} {
		got := ""
		if k := j.Truth(c.labels); k >= 0 {
			got = j.Labels()[k]
		}
		of, err := j.TruthOf(c.class, c.attributes)
		if got != c.want || of != c.want || err != nil {
			t.Errorf("%v is %q, and by name %q, %v; want %q", c.labels, got, of, err, c.want)
		}
	}
	if _, err := j.TruthOf("can", map[string]string{"dirt": "filthy"}); err == nil || !strings.Contains(err.Error(), `dirt is "filthy"`) {
		t.Errorf("error %v", err)
	}
}

// TestNewRefuses spoils good heads and rules in one way each.
func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		name, want string
		spoil      func(h []Head, r []Rule) ([]Head, []Rule)
	}{
		{"one head", "heads: there are 1, and 2 to 8", func(h []Head, r []Rule) ([]Head, []Rule) { return h[:1], r }},
		{"nine heads", "heads: there are 9", func(h []Head, r []Rule) ([]Head, []Rule) { return slices.Repeat(h, 3), r }},
		{"name twice", `heads: the name "dirt"`, func(h []Head, r []Rule) ([]Head, []Rule) { h[2].Name = "dirt"; return h, r }},
		{"output twice", "heads: output 1 of wet", func(h []Head, r []Rule) ([]Head, []Rule) { h[2].Output = 1; return h, r }},
		{"output below 0", "heads: output -1 of wet", func(h []Head, r []Rule) ([]Head, []Rule) { h[2].Output = -1; return h, r }},
		{"one label", "heads: dirt: 1 labels", func(h []Head, r []Rule) ([]Head, []Rule) { h[1].Labels = h[1].Labels[:1]; return h, r }},
		{"label twice", `heads: wet: the label "no"`, func(h []Head, r []Rule) ([]Head, []Rule) { h[2].Labels = []string{"no", "no"}; return h, r }},
		{"unknown head", `rules: x:yes:bin: "x" is none`, func(h []Head, r []Rule) ([]Head, []Rule) { return h, append(r, Rule{"x", "yes", "bin"}) }},
		{"unknown label", `wet is one of no, yes, and never "maybe"`, func(h []Head, r []Rule) ([]Head, []Rule) { return h, append(r, Rule{"wet", "maybe", "bin"}) }},
		{"no class", "rules: wet:no:", func(h []Head, r []Rule) ([]Head, []Rule) { return h, append(r, Rule{"wet", "no", ""}) }},
		{"twice", "an earlier rule", func(h []Head, r []Rule) ([]Head, []Rule) { return h, append(r, Rule{"wet", "yes", "bin"}) }},
		{"all labels", "2 of the 2 labels of wet", func(h []Head, r []Rule) ([]Head, []Rule) { return h, append(r, Rule{"wet", "no", "bin"}) }},
		{"no rule", "0 of the 2 labels of wet", func(h []Head, r []Rule) ([]Head, []Rule) { return h, r[:1] }},
	} {
		h, r := c.spoil(waste(), slices.Clone(rules))
		if _, err := New(h, r); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestFits(t *testing.T) {
	net := func(outputs ...int) *flat.Model {
		m := flat.New("")
		for i, n := range outputs {
			m.Graphs[0].Outputs = append(m.Graphs[0].Outputs, m.AddTensor(string(rune('a'+i)), flat.Float32, 1, n))
		}
		return m
	}
	j, err := New(waste(), rules)
	if err != nil {
		t.Fatal(err)
	}
	far := waste()
	far[2].Output = 5
	gap, err := New(far, rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		j          *Joint
		labels     []string
		net        *flat.Model
	}{
		{"good", "", j, j.Labels(), net(3, 3, 2)},
		{"outputs", "the model has 2 outputs, the manifest states 3 heads", j, j.Labels(), net(3, 3)},
		{"size", "heads: wet has 2 labels, but the model's output", j, j.Labels(), net(3, 3, 4)},
		{"no such output", "heads: wet is output 5, and the model's are 0 to 2", gap, j.Labels(), net(3, 3, 2)},
		{"labels", "the labels are can, glass, paper (3), the heads and rules give can, glass, paper, general, bin (5)", j, j.Labels()[:3], net(3, 3, 2)},
	} {
		if err := c.j.Fits(c.labels, c.net); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestParseRule(t *testing.T) {
	if r, err := ParseRule(" 오염도 : 심한오염:general"); err != nil || r != (Rule{"오염도", "심한오염", "general"}) || r.String() != "오염도:심한오염:general" {
		t.Errorf("%v, %v", r, err)
	}
	for _, s := range []string{"", "a", "a:b", "a:b:", ":b:c", "a:b:c:d"} {
		if r, err := ParseRule(s); err == nil {
			t.Errorf("%q is %v", s, r)
		}
	}
}

// FuzzNew: whatever a manifest states, its heads are refused or give probabilities.
func FuzzNew(f *testing.F) {
	good, err := json.Marshal(struct {
		Heads []Head
		Rules []Rule
	}{waste(), rules})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"heads":[{"name":"a","labels":["x","y"]},{"name":"b","output":1,"labels":["x","y"]}],"rules":[{"head":"b","label":"x","then":"x"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var m struct {
			Heads []Head
			Rules []Rule
		}
		if json.Unmarshal(text, &m) != nil {
			return
		}
		j, err := New(m.Heads, m.Rules)
		if err != nil {
			return
		}
		var p [][]float32
		for _, h := range j.Heads() {
			even := make([]float32, len(h.Labels))
			for i := range even {
				even[i] = 1 / float32(len(even))
			}
			p = append(p, even)
		}
		dst, sum := make([]float32, len(j.Labels())), 0.0
		j.Combine(dst, p)
		for _, v := range dst {
			sum += float64(v)
		}
		if math.Abs(sum-1) > 1e-3 {
			t.Errorf("%s: %v sum to %g", text, dst, sum)
		}
	})
}
