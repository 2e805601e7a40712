package ensemble

import (
	"fmt"
	"slices"

	"gleaner/model/flat"
	"gleaner/train/dataset"
	"gleaner/train/engine"
	"gleaner/train/net"
	"gleaner/train/step"
)

// Voter is weights that answer in a bundle, and whether they are shown a picture's mirror image.
type Voter struct {
	Weights  net.Weights
	Mirrored bool
}

// Voters are weights that answer together; with mirror each of them answers to a picture and then to its mirror image.
func Voters(all []net.Weights, mirror bool) (voters []Voter) {
	for _, w := range all {
		voters = append(voters, Voter{w, false})
		if mirror {
			voters = append(voters, Voter{w, true})
		}
	}
	return voters
}

// View is a set as the voter sees it.
func (v Voter) View(set dataset.Set) dataset.Set {
	if v.Mirrored {
		return step.View(set, step.Mirror, 0)
	}
	return set
}

// Answerer gives the probabilities of pictures, batched, by head.
type Answerer = func(pictures []float32) ([][]float32, error)

// Ask makes of a function that asks the network whose weights were loaded last about pictures of a shape one that asks all voters and
// gives their mean. A single voter's weights are loaded already.
func Ask(voters []Voter, shape engine.Shape, load func(net.Weights) error, answer Answerer) Answerer {
	now := voters[0]
	next := func(i int) error {
		now = voters[i]
		return load(now.Weights)
	}
	return Vote(len(voters), next, func(pictures []float32) ([][]float32, error) {
		if now.Mirrored {
			pictures = slices.Clone(pictures)
			step.FlipRows(pictures, shape)
		}
		return answer(pictures)
	})
}

// Write makes one .tflite file that answers as the voters do together, of those that write makes of their weights.
func Write(voters []Voter, write func(net.Weights) ([]byte, error)) ([]byte, error) {
	var files [][]byte
	for i, v := range voters {
		var file []byte
		var err error
		if v.Mirrored { // the voter before has the same weights
			file, err = mirrored(files[i-1])
		} else {
			file, err = write(v.Weights)
		}
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return Join(files)
}

// mirrored is a .tflite file that answers to a picture as the given one does to its mirror image.
func mirrored(file []byte) ([]byte, error) {
	m, err := flat.Read(file)
	if err != nil {
		return nil, fmt.Errorf("mirror the network: %w", err)
	}
	if err := m.Mirror(); err != nil {
		return nil, err
	}
	return m.Bytes()
}
