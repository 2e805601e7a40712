package heads

import (
	"fmt"
	"maps"
	"slices"

	"gleaner/model/joint"
	"gleaner/train/dataset"
)

// Truth is what is right for each of stored pictures, as a number in labels. With j it is what the rules make of a picture's class
// and attributes; an attribute that its label does not have matches no rule, so that classes that were joined already stay. Without j
// it is the class. The error says which attribute's value j's heads do not know.
func Truth(data *dataset.Stored, j *joint.Joint) (labels []string, truth []int, err error) {
	classes := data.Labels()
	of, found := make([]string, data.Len()), map[string]bool{}
	for i := range of {
		of[i] = classes[data.Label(i)]
		if j != nil {
			if of[i], err = j.TruthOf(of[i], data.Attributes(i)); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", data.Name(i), err)
			}
		}
		found[of[i]] = true
	}
	labels = classes
	if j != nil {
		labels = slices.Sorted(maps.Keys(found))
	}
	at := map[string]int{}
	for i, l := range labels {
		at[l] = i
	}
	for _, l := range of {
		truth = append(truth, at[l])
	}
	return labels, truth, nil
}
