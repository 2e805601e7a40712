// Package cv is what the proofs of recipes share: five-fold cross-validation of a recipe on the pictures at hand, as `gleaner train
// recipe=… --folds 5` does it.
package cv

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gleaner/internal/shared"
	"gleaner/train"
	"gleaner/train/recipe"
	"gleaner/train/runs"
)

// Folds is how many parts the pictures are dealt into.
const Folds = 5

// Data is the folder of shared pictures of a name; an error where there are none.
func Data(name string) (string, error) {
	root := shared.Root()
	if root == "" {
		return "", fmt.Errorf("the pictures are not there: set GLEANER_SHARED")
	}
	return filepath.Join(root, "data", name), nil
}

// Model is the file of a shared model; an error where there are none.
func Model(name string) (string, error) {
	root := shared.Root()
	if root == "" {
		return "", fmt.Errorf("the models are not there: set GLEANER_SHARED")
	}
	return filepath.Join(root, "models", "models", name), nil
}

// Options are those of key=value assignments. A network's name stands for the file that set-up fetched.
func Options(keys ...string) (recipe.Options, error) {
	o := recipe.DefaultOptions()
	if err := o.SetAll(keys); err != nil {
		return o, err
	}
	o.NetIn(filepath.Join(".native", "models"))
	return o, nil
}

// Tell shows a run's notes and epochs.
func Tell() train.Reporter {
	return train.Reporter{
		Note: func(line string) { fmt.Println(line) },
		Epoch: func(r runs.Row, t runs.Timing, _ bool) {
			fmt.Printf("  epoch %d: loss %.3f, %.1f %%, validation %.1f %%, %.1f CPU-ms per picture\n", r.Epoch, r.TrainLoss, 100*r.TrainAcc, 100*r.ValAcc, t.CPU)
		},
	}
}

// Run cross-validates the options in a folder of its own below dir.
func Run(ctx context.Context, dir string, keys ...string) (*train.CrossValidation, error) {
	out, err := os.MkdirTemp(dir, "cv")
	if err != nil {
		return nil, err
	}
	o, err := Options(append(keys, "out="+out)...)
	if err != nil {
		return nil, err
	}
	fmt.Printf("== %s\n", strings.Join(keys, " "))
	r, err := train.CrossValidate(ctx, o, Folds, false, Tell())
	if err == nil {
		fmt.Printf("macro-F1 %s, accuracy %v\n", Text(r), r.Accuracy)
	}
	return r, err
}

// Text is the mean macro-F1 of the folds, and the interval over all pictures.
func Text(r *train.CrossValidation) string {
	return fmt.Sprintf("%.4f (%.4f to %.4f)", r.Mean, r.Pooled.MacroF1.Low, r.Pooled.MacroF1.High)
}

// ImageNet are the keys that put an ImageNet MobileNetV1 in the place of a recipe's backbone: the file, the layers whose features,
// averaged and joined, the heads see, and the first layers, which do not learn.
func ImageNet() ([]string, error) {
	file, err := Model("mobilenet_v1_1.0_224_quant_embedding_extractor.tflite")
	if err != nil {
		return nil, err
	}
	var cut, freeze []string
	for _, layer := range []string{"13_pointwise/Relu6", "11_pointwise/Relu6", "7_pointwise/Relu6", "5_pointwise/Relu6"} {
		cut = append(cut, v1+layer)
	}
	for _, layer := range []string{"0/", "1_", "2_", "3_", "4_", "5_"} {
		freeze = append(freeze, "trunk/"+v1+layer)
	}
	return []string{"net=" + file, "cut=" + strings.Join(cut, ","), "freeze=" + strings.Join(freeze, ",")}, nil
}

const v1 = "MobilenetV1/MobilenetV1/Conv2d_"
