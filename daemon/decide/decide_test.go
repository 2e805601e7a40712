package decide

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var t0 = time.Unix(1_700_000_000, 0)

// one is a crop that shows class c with probability p; the rest is spread over the others.
func one(classes, c int, p float32) []float32 {
	out := make([]float32, classes)
	for i := range out {
		out[i] = (1 - p) / float32(classes-1)
	}
	out[c] = p
	return out
}

// cast is a ballot after the crops, one interval apart.
func cast(o Options, crops ...[]float32) *Ballot {
	b := &Ballot{}
	b.Reset(len(crops[0]))
	for i, c := range crops {
		b.Vote(t0.Add(time.Duration(i)*o.Interval), c, 0, o)
	}
	return b
}

func TestVerdict(t *testing.T) {
	labels := []string{"glass", "can", "paper"}
	glass, can, paper := one(3, 0, 0.9), one(3, 1, 0.9), one(3, 2, 0.9)
	weak := one(3, 0, 0.45)
	set := func(change func(*Options)) Options { o := strict(); change(&o); return o }
	for _, c := range []struct {
		name   string
		o      Options
		crops  [][]float32
		kind   Kind
		class  int
		votes  int
		reason string
	}{
		{"all agree", strict(), [][]float32{glass, glass, glass}, Class, 0, 3, ReasonClear},
		{"one crop", strict(), [][]float32{can}, Class, 1, 1, ReasonClear},
		{"majority of five", strict(), [][]float32{glass, can, glass, can, glass}, Class, 0, 3, ReasonClear},
		{"no majority of five", strict(), [][]float32{glass, can, glass, can, paper}, Unsure, 0, 2, ReasonMajority},
		{"exactly half is a majority of one half", set(func(o *Options) { o.Threshold = 0.4 }),
			[][]float32{glass, can}, Class, 0, 1, ReasonClear},
		{"two thirds asked, three fifths given", set(func(o *Options) { o.Majority = 0.66 }),
			[][]float32{glass, can, glass, can, glass}, Unsure, 0, 3, ReasonMajority},
		{"agree, but weakly", strict(), [][]float32{weak, weak, weak}, Unsure, 0, 3, ReasonThreshold},
		{"threshold 0 takes the weak", set(func(o *Options) { o.Threshold = 0 }), [][]float32{weak}, Class, 0, 1, ReasonClear},
		{"rejected class", set(func(o *Options) { o.Reject = []string{"paper", "glass"} }),
			[][]float32{glass, glass}, Reject, 0, 2, ReasonRejected},
		{"another class is rejected", set(func(o *Options) { o.Reject = []string{"paper"} }),
			[][]float32{glass, glass}, Class, 0, 2, ReasonClear},
		{"a weak one of a rejected class is not thrown out", set(func(o *Options) { o.Reject = []string{"glass"} }),
			[][]float32{weak, weak}, Unsure, 0, 2, ReasonThreshold},
		{"hysteresis 1: one vote more takes the lead", strict(),
			[][]float32{glass, can, can}, Class, 1, 2, ReasonClear},
		{"hysteresis 2: one vote more does not", set(func(o *Options) { o.Hysteresis = 2 }),
			[][]float32{glass, can, can}, Unsure, 0, 1, ReasonMajority},
		{"hysteresis 2: two votes more do", set(func(o *Options) { o.Hysteresis = 2 }),
			[][]float32{glass, can, can, can}, Class, 1, 3, ReasonClear},
		{"hysteresis 0: at equal votes the probability decides", set(func(o *Options) { o.Hysteresis, o.Threshold = 0, 0 }),
			[][]float32{one(3, 0, 0.6), one(3, 1, 0.9)}, Class, 1, 1, ReasonClear},
		{"hysteresis 1: equal votes change nothing", set(func(o *Options) { o.Threshold = 0 }),
			[][]float32{one(3, 0, 0.6), one(3, 1, 0.9)}, Class, 0, 1, ReasonClear},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := cast(c.o, c.crops...).Verdict(c.o, labels)
			if v.Kind != c.kind || v.Class != c.class || v.Votes != c.votes || v.Of != len(c.crops) || v.Reason != c.reason {
				t.Errorf("got %+v, want %s of class %d with %d of %d votes, %s", v, c.kind, c.class, c.votes, len(c.crops), c.reason)
			}
			var want float32
			for _, crop := range c.crops {
				want += crop[c.class]
			}
			if want /= float32(len(c.crops)); v.P < want-1e-6 || v.P > want+1e-6 {
				t.Errorf("p is %g, want the mean %g", v.P, want)
			}
		})
	}
}

func TestVerdictWithoutVotes(t *testing.T) {
	var b Ballot
	b.Reset(3)
	if v := b.Verdict(strict(), nil); v.Kind != Unsure || v.Class != -1 || v.P != 0 || v.Of != 0 || v.Reason != ReasonNoVotes {
		t.Errorf("got %+v", v)
	}
	if b.Final(strict(), nil) {
		t.Error("final without a vote")
	}
	if m := b.Mean(nil); m != nil {
		t.Errorf("mean is %v", m)
	}
}

// TestFinal follows one object vote by vote: an early answer wants MinVotes clear ones, a late one Votes of any kind.
func TestFinal(t *testing.T) {
	o := strict() // 5 votes, an early answer after 3
	o.Majority = 0.7
	glass, can := one(3, 0, 0.9), one(3, 1, 0.9)
	paper := one(3, 2, 0.9)
	for _, c := range []struct {
		name  string
		crops [][]float32
		at    int // after which vote it is final; 0: not even after the last
	}{
		{"clear at once", [][]float32{glass, glass, glass, glass, glass}, 3},
		{"clear after four", [][]float32{glass, can, glass, glass, glass}, 4},
		{"never clear", [][]float32{glass, can, paper, can, glass}, 5},
		{"too few", [][]float32{glass, glass}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for n := 1; n <= len(c.crops); n++ {
				final := cast(o, c.crops[:n]...).Final(o, nil)
				if want := c.at > 0 && n >= c.at; final != want {
					t.Fatalf("after %d votes final is %v, want %v", n, final, want)
				}
				if final {
					return
				}
			}
		})
	}
	o.MinVotes, o.Reject = 1, []string{"glass"}
	if !cast(o, glass).Final(o, nil) {
		t.Error("with min_votes 1 one clear vote is not final")
	}
	if !cast(o, glass).Final(o, []string{"glass", "can", "paper"}) {
		t.Error("a clear vote for a rejected class is not final")
	}
}

func TestWants(t *testing.T) {
	o := strict()
	o.Votes, o.MinVotes, o.Interval = 3, 1, 60*time.Millisecond
	var b Ballot
	b.Reset(2)
	for _, step := range []struct {
		at   time.Duration
		want bool
	}{
		{0, true}, {0, false}, {30 * time.Millisecond, false}, {59 * time.Millisecond, false},
		{60 * time.Millisecond, true}, {90 * time.Millisecond, false}, {time.Second, true},
		{2 * time.Second, false}, // three have voted
	} {
		if got := b.Wants(t0.Add(step.at), o); got != step.want {
			t.Fatalf("at %v with %d votes: wants %v", step.at, b.Votes(), got)
		}
		if step.want {
			b.Vote(t0.Add(step.at), one(2, 0, 0.9), 0, o)
		}
	}
	b.Reset(2)
	if b.Votes() != 0 || !b.Wants(t0, o) {
		t.Errorf("%d votes after a reset", b.Votes())
	}
}

func TestResetForAnotherModel(t *testing.T) {
	o := strict()
	b := cast(o, one(3, 2, 0.9), one(3, 2, 0.9))
	b.Reset(5)
	if b.Classes() != 5 || b.Votes() != 0 {
		t.Fatalf("%d classes, %d votes", b.Classes(), b.Votes())
	}
	b.Vote(t0, one(5, 4, 0.8), 0, o)
	if v := b.Verdict(o, nil); v.Class != 4 || v.Of != 1 {
		t.Errorf("an old vote is still there: %+v", v)
	}
	b.Reset(2)
	b.Vote(t0, one(2, 0, 0.8), 0, o)
	if m := b.Mean(nil); len(m) != 2 || m[0] != 0.8 {
		t.Errorf("mean %v", m)
	}
}

// crops draws a few crops of a few classes.
func crops(t *rapid.T) [][]float32 {
	classes := rapid.IntRange(2, 6).Draw(t, "classes")
	p := rapid.SliceOfN(rapid.Float32Range(0, 1), classes, classes)
	return rapid.SliceOfN(p, 1, 12).Draw(t, "crops")
}

func rules(t *rapid.T) Options {
	o := strict()
	o.Votes = rapid.IntRange(1, 12).Draw(t, "votes")
	o.MinVotes = rapid.IntRange(1, o.Votes).Draw(t, "min_votes")
	o.Majority = rapid.Float64Range(0, 1).Draw(t, "majority")
	o.Threshold = rapid.Float64Range(0, 1).Draw(t, "threshold")
	o.Hysteresis = rapid.IntRange(0, 3).Draw(t, "hysteresis")
	return o
}

// TestSameVotesSameVerdict: a ballot that was used before, and its memory, leave no trace.
func TestSameVotesSameVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, votes := rules(t), crops(t)
		used := cast(o, crops(t)...)
		used.Reset(len(votes[0]))
		for i, c := range votes {
			used.Vote(t0.Add(time.Duration(i)*time.Second), c, 0, o)
		}
		a, b := cast(o, votes...).Verdict(o, nil), used.Verdict(o, nil)
		if a != b {
			t.Fatalf("%+v, and again %+v", a, b)
		}
		if a.Of != len(votes) || a.Votes < 0 || a.Votes > a.Of || a.P < 0 || a.P > 1.0001 {
			t.Fatalf("impossible verdict %+v", a)
		}
	})
}

// TestOrderOfClasses: which number a class has means nothing, as long as no two are equally good.
func TestOrderOfClasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, votes := rules(t), crops(t)
		classes := len(votes[0])
		for i, c := range votes { // tell ties apart, differently in each crop
			for j := range c {
				c[j] += float32(1+(i*7+j*3)%31) * 1e-3
			}
			if s := slices.Sorted(slices.Values(c)); len(slices.Compact(s)) < classes {
				t.Skip("a tie")
			}
		}
		perm := rapid.Permutation(upTo(classes)).Draw(t, "order")
		labels := []string{"a", "b", "c", "d", "e", "f"}[:classes]
		o.Reject = []string{"b"}
		var moved [][]float32
		for _, c := range votes {
			m := make([]float32, classes)
			for i, p := range c {
				m[perm[i]] = p
			}
			moved = append(moved, m)
		}
		names := make([]string, classes)
		for i, l := range labels {
			names[perm[i]] = l
		}
		x, y := cast(o, votes...), cast(o, moved...)
		if slices.Max(x.sum) == 0 || tied(x) {
			t.Skip("a tie in the sums")
		}
		a, b := x.Verdict(o, labels), y.Verdict(o, names)
		b.Class = slices.Index(perm, b.Class)
		if a != b {
			t.Fatalf("%+v, in another order %+v", a, b)
		}
	})
}

func tied(b *Ballot) bool {
	for i := range b.sum {
		for j := range i {
			if b.count[i] == b.count[j] && b.sum[i] == b.sum[j] {
				return true
			}
		}
	}
	return false
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func TestVotingAllocatesNothing(t *testing.T) {
	o := strict()
	o.Reject = []string{"can"}
	crop, labels := one(10, 3, 0.9), strings.Split("a b c can e f g h i j", " ")
	var b Ballot
	b.Reset(10)
	var mean []float32
	mean = append(mean, crop...)
	if n := testing.AllocsPerRun(100, func() {
		b.Reset(10)
		b.Vote(t0, crop, 0, o)
		_ = b.Final(o, labels)
		mean = b.Mean(mean)
	}); n != 0 {
		t.Errorf("%g allocations, want 0", n)
	}
}

func TestValidate(t *testing.T) {
	if err := strict().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for _, c := range []struct {
		key    string // with which the message must begin
		change func(*Options)
	}{
		{"when: \"soon\"", func(o *Options) { o.When = "soon" }},
		{"line: 1.5", func(o *Options) { o.Line = 1.5 }},
		{"votes: 0", func(o *Options) { o.Votes = 0 }},
		{"min_votes: 6", func(o *Options) { o.MinVotes = 6 }},
		{"min_votes: 0", func(o *Options) { o.MinVotes = 0 }},
		{"interval: -1s", func(o *Options) { o.Interval = -time.Second }},
		{"majority: 2", func(o *Options) { o.Majority = 2 }},
		{"threshold: -0.1", func(o *Options) { o.Threshold = -0.1 }},
		{"hysteresis: -1", func(o *Options) { o.Hysteresis = -1 }},
	} {
		t.Run(c.key, func(t *testing.T) {
			o := strict()
			c.change(&o)
			if err := o.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.key) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// strict are bars high enough for every reason to show.
func strict() Options {
	o := DefaultOptions()
	o.Early, o.Majority, o.Threshold = 0, 0.5, 0.5
	return o
}
