// Package decide is the rule that turns the votes of an object's crops into one final verdict: when an answer is
// final, which it is, and why. It is pure: no clock, no pixels, no model; the same votes give the same verdict. Who the
// object is comes from detect/track, what a crop shows from classify.
package decide

import (
	"fmt"
	"time"
)

// The points at which a verdict becomes final (Options.When).
const (
	WhenAuto  = "auto"  // AtLine for the motion detector, AtVotes for every other
	WhenLine  = "line"  // when the object's centre passes the line; an object that never does gets no verdict
	WhenVotes = "votes" // as soon as the votes are clear, at the latest when the track ends
	WhenEnd   = "end"   // when the track ends
)

// Options is the rule.
type Options struct {
	// When is the moment of the verdict: auto, line, votes or end.
	When string `yaml:"when"`
	// Line is where the line of "line" lies, as a share of the frame along the belt's travel, 0 to 1.
	Line float64 `yaml:"line"`
	// Votes is how many crops of one object are classified at most, at least 1.
	Votes int `yaml:"votes"`
	// MinVotes is how many votes an early answer needs ("votes"), 1 to Votes.
	MinVotes int `yaml:"min_votes"`
	// Interval is the least time between two votes of one object: neighbouring frames show the same mistakes.
	Interval time.Duration `yaml:"interval"`
	// Early is the mean probability from which an answer may be given before all votes are in, 0 to 1.
	Early float64 `yaml:"early"`
	// Majority is the share of the votes that the winner needs, 0 to 1.
	Majority float64 `yaml:"majority"`
	// Threshold is the mean probability that the winner needs, 0 to 1.
	Threshold float64 `yaml:"threshold"`
	// Hysteresis is by how many votes a challenger must lead before it replaces the class that led first, at least 0.
	Hysteresis int `yaml:"hysteresis"`
	// Reject lists the classes whose objects are thrown out: their verdict is "reject", with the class named.
	Reject []string `yaml:"reject"`
	// Unknown leaves objects unsure that look like none of the pictures that the classifier was taught with, where its bundle can
	// tell (gleaner train unknown=0.05).
	Unknown bool `yaml:"unknown"`
}

// DefaultOptions asks five crops, 60 ms apart, or three that are sure. It wants two of five for one class and a mean
// probability of 0.3: low bars, under which a verdict is worth little. A line that must be pure sets higher ones.
func DefaultOptions() Options {
	return Options{When: WhenAuto, Line: 0.5, Votes: 5, MinVotes: 3, Interval: 60 * time.Millisecond,
		Early: 0.7, Majority: 0.4, Threshold: 0.3, Hysteresis: 1, Unknown: true}
}

// Validate names the first key that is out of range, by its path below decide.
func (o Options) Validate() error {
	switch o.When {
	case WhenAuto, WhenLine, WhenVotes, WhenEnd:
	default:
		return fmt.Errorf("when: %q is not one of auto, line, votes, end", o.When)
	}
	switch {
	case o.Line < 0 || o.Line > 1:
		return fmt.Errorf("line: %g is not between 0 and 1", o.Line)
	case o.Votes < 1:
		return fmt.Errorf("votes: %d is less than 1", o.Votes)
	case o.MinVotes < 1 || o.MinVotes > o.Votes:
		return fmt.Errorf("min_votes: %d is not between 1 and votes (%d)", o.MinVotes, o.Votes)
	case o.Interval < 0:
		return fmt.Errorf("interval: %s is negative", o.Interval)
	case !(o.Early >= 0 && o.Early <= 1):
		return fmt.Errorf("early: %g is not between 0 and 1", o.Early)
	case o.Majority < 0 || o.Majority > 1:
		return fmt.Errorf("majority: %g is not between 0 and 1", o.Majority)
	case o.Threshold < 0 || o.Threshold > 1:
		return fmt.Errorf("threshold: %g is not between 0 and 1", o.Threshold)
	case o.Hysteresis < 0:
		return fmt.Errorf("hysteresis: %d is negative", o.Hysteresis)
	}
	return nil
}

// Kind is what a verdict says of an object.
type Kind string

// The verdicts of the object record.
const (
	Class  Kind = "class"  // it is of the class named
	Reject Kind = "reject" // it is of the class named, and that class is thrown out
	Unsure Kind = "unsure" // seen and counted, but not known
)

// The reasons that stand beside a verdict.
const (
	ReasonClear     = "clear"           // majority and threshold were met
	ReasonRejected  = "rejected_class"  // they were met, and the class is one of Reject
	ReasonNoVotes   = "no_usable_crop"  // no crop passed the quality gate
	ReasonMajority  = "no_majority"     // the crops disagree
	ReasonThreshold = "below_threshold" // the crops agree, but weakly
	ReasonUnknown   = "unknown_object"  // the crops look like nothing that the classifier was taught
)

// Verdict is the answer for one object.
type Verdict struct {
	Kind   Kind
	Class  int     // index of the leading class; -1 with no vote
	P      float32 // mean probability of that class over all votes, 0 to 1
	Votes  int     // votes for that class
	Of     int     // votes in all
	Reason string
}

// Ballot is the votes of one object so far. Its memory is reused by Reset.
type Ballot struct {
	sum    []float32 // per class, of the probabilities
	count  []int     // per class, of the crops it won
	known  float32   // sum of how familiar the crops were
	n      int
	leader int
	last   time.Time
}

// Reset empties the ballot for a model of the given number of classes.
func (b *Ballot) Reset(classes int) {
	if cap(b.sum) < classes {
		b.sum, b.count = make([]float32, classes), make([]int, classes)
	}
	b.sum, b.count = b.sum[:classes], b.count[:classes]
	clear(b.sum)
	clear(b.count)
	b.n, b.leader, b.last, b.known = 0, -1, time.Time{}, 0
}

// Votes is how many crops have voted.
func (b *Ballot) Votes() int { return b.n }

// Classes is how many classes the ballot was reset for.
func (b *Ballot) Classes() int { return len(b.sum) }

// Wants reports whether a crop of time t may still vote.
func (b *Ballot) Wants(t time.Time, o Options) bool {
	return b.n < o.Votes && (b.n == 0 || t.Sub(b.last) >= o.Interval)
}

// Vote adds one crop's probabilities, one per class, and how familiar the crop looks: below 0 like nothing that was taught; 0 where
// nobody can tell.
func (b *Ballot) Vote(t time.Time, probs []float32, familiar float32, o Options) {
	b.known += familiar
	best := 0
	for i, p := range probs {
		b.sum[i] += p
		if p > probs[best] {
			best = i
		}
	}
	b.count[best]++
	b.n++
	b.last = t
	if b.leader < 0 || b.count[best] >= b.count[b.leader]+o.Hysteresis && b.beats(best, b.leader) {
		b.leader = best
	}
}

// beats compares by votes, then by probability.
func (b *Ballot) beats(i, j int) bool {
	if b.count[i] != b.count[j] {
		return b.count[i] > b.count[j]
	}
	return b.sum[i] > b.sum[j]
}

// Mean writes the mean probability of each class over dst and returns it; it is nil while nobody voted.
func (b *Ballot) Mean(dst []float32) []float32 {
	if b.n == 0 {
		return nil
	}
	dst = dst[:0]
	for _, s := range b.sum {
		dst = append(dst, s/float32(b.n))
	}
	return dst
}

// Verdict is the answer that the votes so far give. labels are the class names, for Reject.
func (b *Ballot) Verdict(o Options, labels []string) Verdict {
	if b.n == 0 {
		return Verdict{Kind: Unsure, Class: -1, Reason: ReasonNoVotes}
	}
	v := Verdict{Kind: Unsure, Class: b.leader, P: b.sum[b.leader] / float32(b.n), Votes: b.count[b.leader], Of: b.n}
	switch {
	case o.Unknown && b.known < 0: // one strange crop among familiar ones does not make a strange object
		v.Reason = ReasonUnknown
	case float64(v.Votes) < o.Majority*float64(v.Of):
		v.Reason = ReasonMajority
	case float64(v.P) < o.Threshold:
		v.Reason = ReasonThreshold
	default:
		v.Kind, v.Reason = Class, ReasonClear
		for _, r := range o.Reject {
			if v.Class < len(labels) && labels[v.Class] == r {
				v.Kind, v.Reason = Reject, ReasonRejected
			}
		}
	}
	return v
}

// Final reports whether the answer may be given before the object is gone: enough votes have come and they are
// clear, or no more will be asked for.
func (b *Ballot) Final(o Options, labels []string) bool {
	if b.n >= o.Votes {
		return true
	}
	v := b.Verdict(o, labels)
	return b.n >= o.MinVotes && v.Kind != Unsure && float64(v.P) >= o.Early
}
