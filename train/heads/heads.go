// Package heads lets a network learn the attributes of labelled pictures beside their classes, a head for each that a rule names,
// and judges what the rules make of all heads together (model/joint). How heads are trained is train/step's; what stands in a data
// set file is train/dataset/pack's.
package heads

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gleaner/model/joint"
	"gleaner/train/dataset"
	"gleaner/train/eval"
)

// Pictures are labelled pictures that ask for attributes as well: the first head is the class, each further one an attribute.
type Pictures struct {
	*dataset.Pictures
	heads  []dataset.Head
	labels [][]int // by further head and picture; -1: its label does not say
}

// Of asks for the attributes that rules name, in the order in which they name them. settled are the heads where other pictures have
// settled them; nil: every value that is found is a label, in the order of names. The error says what is not in the pictures.
func Of(p *dataset.Pictures, rules []joint.Rule, settled []dataset.Head) (*Pictures, error) {
	s := &Pictures{Pictures: p, heads: slices.Clone(p.Heads())}
	for _, r := range rules {
		if r.Head == s.heads[0].Name {
			return nil, fmt.Errorf("rule=%s: %s is no attribute; classes are joined by gleaner data import --map", r, r.Head)
		}
		if slices.ContainsFunc(s.heads, func(h dataset.Head) bool { return h.Name == r.Head }) {
			continue
		}
		found := map[string]bool{}
		for i := range p.Len() {
			if v := p.Attributes(i)[r.Head]; v != "" {
				found[v] = true
			}
		}
		values := slices.Sorted(maps.Keys(found))
		head := dataset.Head{Name: r.Head, Labels: values}
		switch at := slices.IndexFunc(settled, func(h dataset.Head) bool { return h.Name == r.Head }); {
		case at >= 0:
			head = settled[at]
			for _, v := range values {
				if !slices.Contains(head.Labels, v) {
					return nil, fmt.Errorf("its %s %q is not one that is trained: %s", r.Head, v, strings.Join(head.Labels, ", "))
				}
			}
		case len(values) == 0:
			return nil, fmt.Errorf("rule=%s: no picture has the attribute %q%s", r, r.Head, s.known())
		case len(values) == 1:
			return nil, fmt.Errorf("rule=%s: the %s of all pictures is %s: there is nothing to tell apart", r, r.Head, values[0])
		}
		labels := make([]int, p.Len())
		for i := range labels {
			labels[i] = slices.Index(head.Labels, p.Attributes(i)[r.Head])
		}
		s.heads, s.labels = append(s.heads, head), append(s.labels, labels)
	}
	return s, nil
}

// known says which attributes there are.
func (s *Pictures) known() string {
	found := map[string]bool{}
	for i := range s.Len() {
		for k := range s.Attributes(i) {
			found[k] = true
		}
	}
	if len(found) == 0 {
		return ": there are none at all; a data set file of gleaner data import keeps those that labels have"
	}
	return ", but " + strings.Join(slices.Sorted(maps.Keys(found)), ", ")
}

// Heads are the class and the attributes.
func (s *Pictures) Heads() []dataset.Head { return s.heads }

// Label is the class of picture i, or its attribute.
func (s *Pictures) Label(i, head int) int {
	if head == 0 {
		return s.Pictures.Label(i, 0)
	}
	return s.labels[head-1][i]
}

// Sum is a lower-case hex sha256 of the pictures' and of what is asked about them.
func (s *Pictures) Sum() string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, s.Pictures.Sum(), " ", s.heads[1:], s.labels)))
}

// Join is how heads of a set become one by rules; nil without rules. A head's number is that of the network's output.
func Join(of []dataset.Head, rules []joint.Rule) (*joint.Joint, error) {
	if len(rules) == 0 {
		return nil, nil
	}
	var as []joint.Head
	for i, h := range of {
		as = append(as, joint.Head{Name: h.Name, Output: i, Labels: h.Labels})
	}
	return joint.New(as, rules)
}

// Answers are what all heads' answers to the same pictures come to; those of a single head stay as they are.
func Answers(j *joint.Joint, all []*eval.Answers) []*eval.Answers {
	if j == nil {
		return all
	}
	a := &eval.Answers{Labels: j.Labels()}
	p, labels := make([][]float32, len(all)), make([]int, len(all))
	for i := range all[0].P {
		for h := range all {
			p[h], labels[h] = all[h].P[i], all[h].Truth[i]
		}
		joined := make([]float32, len(a.Labels))
		j.Combine(joined, p)
		a.P, a.Truth = append(a.P, joined), append(a.Truth, j.Truth(labels))
	}
	return []*eval.Answers{a}
}

// joined is a set whose one question is the joined answer.
type joined struct {
	dataset.Set
	j *joint.Joint
}

// Joined is a set as the joined answer sees it: with one head, and the truth under the rules. With j nil it stays as it is.
func Joined(s dataset.Set, j *joint.Joint) dataset.Set {
	if part, ok := s.(*dataset.Subset); ok && j != nil {
		return &dataset.Subset{Set: Joined(part.Set, j), Index: part.Index}
	}
	if s == nil || j == nil {
		return s
	}
	return joined{s, j}
}

// Unwrap is the set with all its heads.
func (s joined) Unwrap() dataset.Set { return s.Set }

// Heads is the joined answer alone.
func (s joined) Heads() []dataset.Head { return []dataset.Head{{Name: "class", Labels: s.j.Labels()}} }

// Label is the truth of example i under the rules.
func (s joined) Label(i, _ int) int {
	labels := make([]int, len(s.j.Heads()))
	for h := range labels {
		labels[h] = s.Set.Label(i, h)
	}
	return s.j.Truth(labels)
}
