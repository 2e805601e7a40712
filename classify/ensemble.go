package classify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"gleaner/capture"
)

// ensemble averages the probabilities of its members.
type ensemble struct {
	members []Classifier
	order   [][]int // per member and class of the first member: the member's own index
	telling int     // members that are Familiar
	id      string

	mu   sync.Mutex
	idle []*scratch
}

type scratch struct{ p []float32 }

// NewEnsemble averages the probabilities of several classifiers, at least one. Their labels must be the same set, in
// any order, each name once, or the same list; the answer has the order of the first. It is a Familiar where a member is.
func NewEnsemble(members []Classifier) (Classifier, error) {
	if len(members) == 0 {
		return nil, errors.New("ensemble: no members")
	}
	e := &ensemble{members: members}
	first := members[0].Labels()
	ids := make([]string, len(members))
	for k, m := range members {
		order, err := match(first, m.Labels())
		if err != nil {
			return nil, fmt.Errorf("ensemble: %s and %s: %w", members[0].Model(), m.Model(), err)
		}
		e.order = append(e.order, order)
		ids[k] = m.Model()
		if _, ok := m.(Familiar); ok {
			e.telling++
		}
	}
	e.id = strings.Join(ids, ",")
	if e.telling > 0 {
		return familiarEnsemble{e}, nil
	}
	return e, nil
}

// match gives for each label of a its index in b.
func match(a, b []string) ([]int, error) {
	if slices.Equal(a, b) { // then a label may stand twice, as ImageNet's cranes do
		order := make([]int, len(a))
		for i := range order {
			order[i] = i
		}
		return order, nil
	}
	index := make(map[string]int, len(b))
	for i, l := range b {
		if _, dup := index[l]; dup {
			return nil, fmt.Errorf("label %q stands twice", l)
		}
		index[l] = i
	}
	order := make([]int, len(a))
	for i, l := range a {
		j, ok := index[l]
		if !ok {
			return nil, fmt.Errorf("labels differ: %q is missing in one", l)
		}
		order[i] = j
		delete(index, l)
	}
	for _, l := range b {
		if _, more := index[l]; more {
			return nil, fmt.Errorf("labels differ: %q is missing in one", l)
		}
	}
	return order, nil
}

// Classify implements Classifier. The members are asked one after the other; the first error ends it.
func (e *ensemble) Classify(ctx context.Context, im capture.Image, dst []float32) ([]float32, error) {
	dst, _, err := e.look(ctx, im, dst)
	return dst, err
}

// look is Familiar.Look; the familiarity is 0 where no member can tell.
func (e *ensemble) look(ctx context.Context, im capture.Image, dst []float32) (p []float32, familiar float32, err error) {
	s := e.take()
	defer e.give(s)
	dst = room(dst, len(e.order[0]))
	clear(dst)
	for k, m := range e.members {
		var f float32
		if s.p, f, err = Look(ctx, m, im, s.p); err != nil {
			return dst, 0, err
		}
		familiar += f / float32(max(e.telling, 1))
		for i, j := range e.order[k] {
			dst[i] += s.p[j] / float32(len(e.members))
		}
	}
	return dst, familiar, nil
}

// Labels are the first member's.
func (e *ensemble) Labels() []string { return e.members[0].Labels() }

// Model is the members', separated by commas.
func (e *ensemble) Model() string { return e.id }

func (e *ensemble) take() *scratch {
	e.mu.Lock()
	defer e.mu.Unlock()
	if k := len(e.idle); k > 0 {
		s := e.idle[k-1]
		e.idle = e.idle[:k-1]
		return s
	}
	return &scratch{}
}

func (e *ensemble) give(s *scratch) {
	e.mu.Lock()
	e.idle = append(e.idle, s)
	e.mu.Unlock()
}
