package recipe

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gleaner/train/net"
)

// Complete fills in what zero stands for.
func (o *Options) Complete() {
	if o.LR == 0 {
		o.LR = 0.001
		if o.Optimiser == "sgd" {
			o.LR = 0.05
		}
	}
}

// Check tells what is wrong with the options by themselves, and completes them.
func (o *Options) Check() error {
	o.Complete()
	oneOf := func(key, value string, allowed ...string) error {
		for _, a := range allowed {
			if a == value {
				return nil
			}
		}
		return fmt.Errorf("%s=%s: not one of %s", key, value, strings.Join(allowed, ", "))
	}
	within := func(key string, value, low, high float64) error {
		if !(value >= low && value <= high) {
			return fmt.Errorf("%s=%g: not in %g to %g", key, value, low, high)
		}
		return nil
	}
	for _, err := range []error{
		needed("data", o.Data), needed("out", o.Out),
		within("size", float64(o.Size), 0, 4096), within("cache", float64(o.Cache), 0, 1<<30), oneOf("colour", o.Colour, "", "rgb", "bgr", "gray"),
		within("epochs", float64(o.Epochs), 0, 1e6), within("probe", o.Probe, 0, 1e6), within("batch", float64(o.Batch), 1, 1e6), within("save", float64(o.Save), 0, 1e9),
		oneOf("optimiser", o.Optimiser, "sgd", "adam", "adamw"), within("average", o.Average, 0, 0.9999999), within("lr", o.LR, 1e-12, 1e6),
		within("decay", o.Decay, 0, 1e6), within("tostart", o.ToStart, 0, 1e6), within("clip", o.Clip, 0, 1e12),
		within("smoothing", o.Smoothing, 0, 0.999), within("gamma", o.Gamma, 0, 100), within("warmup", o.Warmup, 0, 1e6),
		within("every", o.Every, 1e-3, 1e6), within("factor", o.Factor, 1e-6, 0.999999), within("wait", float64(o.Wait), 0, 1e6),
		within("patience", float64(o.Patience), 0, 1e6), oneOf("keep", o.Keep, "accuracy", "loss", "last"),
		oneOf("overfit", o.Overfit, "auto", "on", "off"), oneOf("scan", o.Scan, "auto", "on", "off"),
		within("golden", float64(o.Golden), 0, 100), oneOf("export", o.Export, "float32", "float16", "int8"), within("maylose", o.MayLose, 0.1, mostMayLose),
		within("unknown", o.Unknown, 0, 0.5), within("views", float64(o.Views), 0, 100),
		oneOf("numbers", o.Numbers, "float32", "tf32", "bf16"),
		oneOf("direction", o.Direction, "", "horizontal", "any"), oneOf("augment", o.Augment, "", "none", "belt", "kiosk"),
		within("mixup", o.Mixup, 0, 100), oneOf("balance", o.Balance, "", "none", "weights", "over", "under"),
		oneOf("device", o.Device, "auto", "cpu", "cuda", "ref"), within("threads", float64(o.Threads), 0, 4096), within("workers", float64(o.Workers), 0, 4096),
		o.Changes().Check(), o.checkVal(), o.checkStart(), o.checkNet(), o.checkEnsemble(),
	} {
		if err != nil {
			return err
		}
	}
	if o.noValidation() && (o.Schedule == "plateau" || o.Patience > 0 || o.Keep != "last") {
		return fmt.Errorf("val=%s: schedule=plateau, patience and keep=%s need validation pictures; keep=last does not", o.Val, o.Keep)
	}
	if _, err := o.Rules(); err != nil {
		return err
	}
	_, _, fold, err := o.fold()
	if _, share := o.ValShare(); fold && (!share || o.Test != "") {
		err = fmt.Errorf("fold=%s: its test pictures are a part of data=, and the validation pictures a share of the rest: test= and a val= of other pictures do not go with it", o.Fold)
	}
	if err != nil {
		return err
	}
	_, err = o.LayerRates()
	return err
}

// checkVal tells what is wrong with a share of validation pictures.
func (o *Options) checkVal() error {
	if share, ok := o.ValShare(); ok && !(share >= 0 && share <= 0.9) {
		return fmt.Errorf("val=%s: not in 0 to 0.9, a share of the pictures of data=", o.Val)
	}
	return nil
}

// preset tells whether the network is one that begins with random weights, unless start= has others, and not a .tflite file.
func (o *Options) preset() bool { return slices.Contains(net.Names(), o.Net) }

// checkNet tells what does not go with a preset.
func (o *Options) checkNet() error {
	switch {
	case !o.preset():
	case o.Cut != "":
		return fmt.Errorf("cut=%s: only of a .tflite file can the end be cut off; net=%s comes without: cut= leaves it out", o.Cut, o.Net)
	case o.Probe > 0 && o.Start == "":
		return fmt.Errorf("probe=%g: net=%s begins with random weights, which have learnt nothing that heads could be fitted on: "+
			"give start= or a .tflite file as net=, or leave it out with probe=0", o.Probe, o.Net)
	}
	return nil
}

// checkStart tells what is wrong with how the training begins.
func (o *Options) checkStart() error {
	switch {
	case o.Quantise != 0 && (o.Quantise < 2 || o.Quantise > 16):
		return fmt.Errorf("quantise=%d: not 0, nor 2 to 16", o.Quantise)
	case o.Epochs == 0 && o.Probe == 0:
		return errors.New("epochs=0: nothing would be learnt; probe=0.01 fits the heads on the network as it begins")
	case o.Views > 0 && o.Probe == 0:
		return fmt.Errorf("views=%d: only probe= looks so often; probe=0.01 fits the heads before training", o.Views)
	case o.Probe > 0 && o.Units > 0:
		return fmt.Errorf("probe=%g fits heads without a hidden layer: leave units=%d out", o.Probe, o.Units)
	case o.Squares < 0 || o.Squares > mostSquares:
		return fmt.Errorf("squares=%d: not in 0 to %d", o.Squares, mostSquares)
	case o.Squares > 0 && (o.Units > 0 || o.preset()):
		return fmt.Errorf("squares=%d: they stand on the features of a .tflite file, and in the place of units=", o.Squares)
	case o.Squares > 0 && o.Probe == 0 && o.Start == "":
		return fmt.Errorf("squares=%d: probe= fits them, such as probe=0.03", o.Squares)
	case o.Probe > 0 && o.Quantise != 0:
		return fmt.Errorf("probe=%g begins a training and quantise=%d ends one: they are two runs", o.Probe, o.Quantise)
	}
	if o.Quantise != 0 && (o.Start == "" || o.Export != "int8") {
		return fmt.Errorf("quantise=%d fine-tunes a network that was trained: it needs start= and export=int8", o.Quantise)
	}
	return nil
}

// checkEnsemble tells what is wrong with keeping several checkpoints.
func (o *Options) checkEnsemble() error {
	switch {
	case o.WithProbe && o.Probe == 0:
		return errors.New("withprobe=true: there is no probe to join: probe=0.03 fits one, withprobe=false leaves it out")
	case o.WithMirror && !o.Flip:
		return errors.New("withmirror=true: without flip=true the network never sees a mirror image, and is often wrong about one")
	case o.Ensemble < 0 || o.Ensemble > 8:
		return fmt.Errorf("ensemble=%d: not in 0 to 8", o.Ensemble)
	case o.Ensemble == 1:
		return errors.New("ensemble=1: one checkpoint is none; 2 to 8 are, and 0 is the best alone")
	case o.Ensemble == 0:
	case o.noValidation():
		return fmt.Errorf("ensemble=%d: validation pictures choose the checkpoints, and val=%s leaves none", o.Ensemble, o.Val)
	case o.Keep != "accuracy":
		return fmt.Errorf("ensemble=%d: the checkpoints are chosen by their accuracy; keep=%s does not go with it", o.Ensemble, o.Keep)
	case o.Quantise != 0:
		return fmt.Errorf("ensemble=%d: checkpoints of quantise=%d each have ranges of their own; export=int8 without it does", o.Ensemble, o.Quantise)
	}
	return nil
}

// JoinsProbe tells whether the bundle answers with the network and the probe that it began with: withprobe=, where something is learnt
// after the probe, and no ensemble is chosen, which has the probe among its candidates.
func (o *Options) JoinsProbe() bool { return o.WithProbe && o.Epochs > 0 && o.Ensemble < 2 }

// mostSquares of a class is all that the directions which they are found in can tell (train/linear.Quadratic).
const mostSquares = 256

func needed(key, value string) error {
	if value == "" {
		return fmt.Errorf("%s= is missing; gleaner train --help shows what is needed", key)
	}
	return nil
}

// ValShare is the share of the training pictures that validate; ok is false where they are pictures of their own.
func (o *Options) ValShare() (share float64, ok bool) {
	share, err := strconv.ParseFloat(o.Val, 64)
	return share, err == nil
}

func (o *Options) noValidation() bool {
	share, ok := o.ValShare()
	return ok && share == 0
}
