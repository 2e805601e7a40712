// Package joint is how the answers of a network's several heads become one: a head that tells classes apart, heads that tell
// attributes of the same thing, such as whether it is dirty, and rules that say which attribute overrides the class. It runs no
// network; what a head is in training is train/net's.
package joint

import (
	"fmt"
	"slices"
	"strings"
)

// Head is one output of a network, as a bundle's manifest states it.
type Head struct {
	Name   string   `json:"name"`   // the attribute that it tells; "class" for the first
	Output int      `json:"output"` // number of the network's output, from 0
	Labels []string `json:"labels"` // in the order of the output's values
}

// Rule says what is answered where a head other than the first gives one of its labels, whatever the class. The first rule that
// matches counts.
type Rule struct {
	Head  string `json:"head"`
	Label string `json:"label"`
	Then  string `json:"then"` // one of the classes, or a further one
}

// String is the rule as ParseRule reads it.
func (r Rule) String() string { return r.Head + ":" + r.Label + ":" + r.Then }

// ParseRule reads a rule such as dirtiness:dirty:general: where the attribute dirtiness is dirty, the answer is general.
func ParseRule(s string) (Rule, error) {
	p := strings.Split(s, ":")
	for i := range p {
		p[i] = strings.TrimSpace(p[i])
	}
	if len(p) != 3 || p[0] == "" || p[1] == "" || p[2] == "" {
		return Rule{}, fmt.Errorf("%q is not of the form attribute:label:class, such as dirtiness:dirty:general", s)
	}
	return Rule{p[0], p[1], p[2]}, nil
}

// most bounds the heads of a network, so that joining their answers takes no memory.
const most = 8

// Joint joins the answers of several heads. It never changes, and may be used from several goroutines.
type Joint struct {
	heads  []Head
	labels []string // of the joined answer
	rules  []step
}

// step is a rule by numbers.
type step struct{ head, label, then int }

// New works out how heads are joined. The first one's labels are the classes; each other one needs a rule, and a label without one,
// or no class would ever be answered. The errors name the head or the rule, and begin as a manifest's keys do.
func New(heads []Head, rules []Rule) (*Joint, error) {
	if len(heads) < 2 || len(heads) > most {
		return nil, fmt.Errorf("heads: there are %d, and 2 to %d can be joined", len(heads), most)
	}
	names, outputs, index := map[string]int{}, map[int]bool{}, make([]map[string]int, len(heads))
	for i, h := range heads {
		if _, twice := names[h.Name]; twice || h.Name == "" {
			return nil, fmt.Errorf("heads: the name %q is empty or given twice", h.Name)
		}
		if outputs[h.Output] || h.Output < 0 {
			return nil, fmt.Errorf("heads: output %d of %s is below 0, or another head's", h.Output, h.Name)
		}
		names[h.Name], outputs[h.Output] = i, true
		var err error
		if index[i], err = numbers(h.Labels); err != nil {
			return nil, fmt.Errorf("heads: %s: %w", h.Name, err)
		}
	}
	j := &Joint{heads: heads, labels: slices.Clone(heads[0].Labels)}
	seen := map[step]bool{}
	ruled := make([]int, len(heads))
	for _, r := range rules {
		at, known := names[r.Head]
		if !known || at == 0 {
			return nil, fmt.Errorf("rules: %s: %q is none of the heads beside %s", r, r.Head, heads[0].Name)
		}
		label, known := index[at][r.Label]
		if !known {
			return nil, fmt.Errorf("rules: %s: %s is one of %s, and never %q", r, r.Head, some(heads[at].Labels), r.Label)
		}
		if strings.TrimSpace(r.Then) != r.Then || r.Then == "" || seen[step{at, label, 0}] {
			return nil, fmt.Errorf("rules: %s: its class is empty or in blanks, or an earlier rule is for the same label", r)
		}
		seen[step{at, label, 0}] = true
		ruled[at]++
		then, old := index[0][r.Then]
		if !old {
			then = len(j.labels)
			index[0][r.Then] = then
			j.labels = append(j.labels, r.Then)
		}
		j.rules = append(j.rules, step{at, label, then})
	}
	for i, h := range heads[1:] {
		if n := ruled[i+1]; n == 0 || n == len(h.Labels) {
			return nil, fmt.Errorf("rules: %d of the %d labels of %s have a rule: at least one must, and at least one not", n, len(h.Labels), h.Name)
		}
	}
	return j, nil
}

// numbers are labels by name.
func numbers(labels []string) (map[string]int, error) {
	if len(labels) < 2 {
		return nil, fmt.Errorf("%d labels: there is nothing to tell apart", len(labels))
	}
	at := map[string]int{}
	for i, l := range labels {
		if _, twice := at[l]; twice || l == "" {
			return nil, fmt.Errorf("the label %q is empty or given twice", l)
		}
		at[l] = i
	}
	return at, nil
}

// some is a list of names, cut where it is long.
func some(names []string) string {
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// Heads are the heads that are joined, the one of the classes first. The caller does not change them.
func (j *Joint) Heads() []Head { return j.heads }

// Labels are those of the joined answer: the classes, then what the rules add, in their order. The caller does not change them.
func (j *Joint) Labels() []string { return j.labels }

// Combine writes the probability of each of Labels into dst. p holds each head's probabilities, which sum to 1, and so do those of
// dst. What the heads tell is taken for independent, given the picture: a rule has the probability of its label, times that of no
// earlier rule; what no rule takes is shared as the first head says. It allocates nothing.
func (j *Joint) Combine(dst []float32, p [][]float32) {
	var left [most]float64 // by head: the probability that none of its rules has matched so far
	for h := range p {
		left[h] = 1
	}
	clear(dst)
	for _, r := range j.rules {
		own := float64(p[r.head][r.label])
		mass := own
		for h := range p {
			if h != r.head {
				mass *= left[h]
			}
		}
		dst[r.then] += float32(mass)
		left[r.head] = max(0, left[r.head]-own)
	}
	rest := 1.0
	for h := range p {
		rest *= left[h]
	}
	for c, v := range p[0] {
		dst[c] += float32(rest * float64(v))
	}
}

// Truth is the number in Labels of what is right for a thing whose label each head's number gives; -1, not known, matches no rule.
// It is -1 where the class is needed and not known.
func (j *Joint) Truth(labels []int) int {
	for _, r := range j.rules {
		if labels[r.head] == r.label {
			return r.then
		}
	}
	return labels[0]
}

// TruthOf is Truth for a class and attributes as a data set has them. The class may be one that was joined already; it is not looked
// at where a rule matches. An attribute's value that its head does not know is an error.
func (j *Joint) TruthOf(class string, attributes map[string]string) (string, error) {
	for _, h := range j.heads[1:] {
		if v := attributes[h.Name]; v != "" && !slices.Contains(h.Labels, v) {
			return "", fmt.Errorf("%s is %q in the pictures, and the bundle's head tells %s apart", h.Name, v, some(h.Labels))
		}
	}
	for _, r := range j.rules {
		if h := j.heads[r.head]; attributes[h.Name] == h.Labels[r.label] {
			return j.labels[r.then], nil
		}
	}
	return class, nil
}
