package recipe

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gleaner/capture/pictures"
	"gleaner/classify/prep"
	"gleaner/model/bundle"
	"gleaner/model/flat"
	"gleaner/model/joint"
	"gleaner/train/dataset"
	"gleaner/train/engine"
	"gleaner/train/linear"
	"gleaner/train/net"
	"gleaner/train/weights"
)

// Data is what a network is trained and judged on. Open makes it of pictures; any sets of one shape and the same heads do.
type Data struct {
	Train dataset.Set
	Val   dataset.Set // nil: no validation
	Test  dataset.Set // nil: no test
	Input bundle.Input
	Sum   string // the same data has the same sum
	// Joint is how several heads become one answer; nil where there is one.
	Joint *joint.Joint
	// Skipped are the files that could not be read.
	Skipped []pictures.Skipped
	// Misfits tell of data set files whose crops were made to fit otherwise than the options say, or than those that the daemon will make.
	Misfits []string
}

// add keeps what is to be told of pictures that were opened.
func (d *Data) add(p *dataset.Pictures) {
	d.Skipped = append(d.Skipped, p.Skipped()...)
	if w := p.Misfit(); w != "" && !slices.Contains(d.Misfits, w) {
		d.Misfits = append(d.Misfits, w)
	}
}

// fits tells where the crops of a data set file were made to fit otherwise than the options say.
func (d *Data) fits(o *Options) {
	if is := d.Input.Fit; is != o.Fit {
		d.Misfits = append(d.Misfits, fmt.Sprintf("fit=%s in place of %s: so the crops of %s were made to fit, and so the daemon will make its own; for %[2]s make the set anew with it (--fit %[2]s)",
			is, o.Fit, filepath.Base(o.Data)))
	}
}

// Heads are the questions that the labels answer.
func (d *Data) Heads() []dataset.Head { return d.Train.Heads() }

// Open reads the pictures that the options name.
func Open(ctx context.Context, o *Options, progress func(done, total int)) (*Data, error) {
	changes := o.Changes()
	var err error
	if changes.Backdrop, err = o.Backdrop(); err != nil {
		return nil, err
	}
	settings := dataset.Options{Input: o.input(), Cache: min(int64(o.Cache)<<20, memory()/16), Workers: o.Decoders(), Augment: changes, Progress: progress}
	if settings.Input.Width == 0 && !idx(o.Data) && !dataset.Packed(o.Data) {
		shape, err := o.ownInput()
		if err != nil {
			return nil, err
		}
		settings.Input.Width, settings.Input.Height = shape[1], shape[0]
	}
	first, err := dataset.Open(ctx, o.Data, settings)
	if err != nil {
		return nil, err
	}
	all, err := o.asked(first, nil)
	if err != nil {
		return nil, fmt.Errorf("data=%s: %w", o.Data, err)
	}
	d := &Data{Input: first.Spec(), Sum: all.Sum()}
	d.fits(o)
	d.add(first)
	settings.Input, settings.Labels, settings.Augment = first.Spec(), all.Heads()[0].Labels, dataset.Augment{}
	settings.Cache -= first.Cached()
	further := func(source string) (dataset.Set, error) {
		p, err := dataset.Open(ctx, source, settings)
		if err != nil {
			return nil, err
		}
		asked, err := o.asked(p, all.Heads())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
		settings.Cache -= p.Cached()
		d.Sum += " " + asked.Sum()
		d.add(p)
		return asked, nil
	}
	if err := d.deal(ctx, o, all, further); err != nil {
		return nil, err
	}
	if err := d.check(o); err != nil {
		return nil, err
	}
	test := o.Test
	if test == "" && d.Test == nil {
		test = dataset.TestSource(o.Data)
	}
	if test != "" && test != "none" {
		if d.Test, err = further(test); err != nil {
			return nil, fmt.Errorf("test: %w", err)
		}
	}
	return d, d.checkExport(o)
}

// deal takes the parts out of all pictures: those to train on, to validate on, and, in a cross-validation, to test on. further
// opens pictures of their own.
func (d *Data) deal(ctx context.Context, o *Options, all labelled, further func(string) (dataset.Set, error)) error {
	share, ofAll := o.ValShare()
	part, parts, fold, err := o.fold()
	switch {
	case err != nil:
		return err
	case fold:
		f, err := dealFold(ctx, all, part, parts, share, o.Seed)
		if err != nil {
			return fmt.Errorf("data=%s: %w", o.Data, err)
		}
		d.Train, d.Test = f.train, f.test
		if f.val != nil && f.val.Len() > 0 {
			d.Val = f.val
		}
	case !ofAll:
		d.Train = all
		if d.Val, err = further(o.Val); err != nil {
			return fmt.Errorf("validation: %w", err)
		}
	case share == 0:
		d.Train = all
	default:
		first, second, err := dealVal(ctx, all, share, o.Seed, !idx(o.Data))
		if err != nil {
			return err
		}
		d.Train = first
		if second.Len() > 0 {
			d.Val = second
		}
	}
	return nil
}

// check finds what no training can make good.
func (d *Data) check(o *Options) error {
	labels := d.Heads()[0].Labels
	if len(labels) < 2 {
		return fmt.Errorf("data=%s: all %d pictures are of one class, %s: there is nothing to tell apart; a second class is a second folder",
			o.Data, d.Train.Len(), strings.Join(labels, ""))
	}
	for h, head := range d.Heads() {
		for c, n := range dataset.Counts(d.Train, h) {
			if n == 0 {
				return fmt.Errorf("data=%s: the %s %q has no picture to train on", o.Data, head.Name, head.Labels[c])
			}
		}
	}
	if d.Val == nil && !o.noValidation() {
		return fmt.Errorf("data=%s: no class has a picture to spare for validation (val=%s): add pictures, or set val=0 keep=last", o.Data, o.Val)
	}
	return d.join(o)
}

// idx tells whether a source is an idx file or a folder of such.
func idx(source string) bool {
	if strings.HasPrefix(source, "fashion-mnist") || strings.Contains(strings.ToLower(filepath.Base(source)), "idx3-ubyte") {
		return true
	}
	found, _ := filepath.Glob(filepath.Join(source, "train-images-idx3-ubyte*"))
	return slices.ContainsFunc(found, func(f string) bool { st, err := os.Stat(f); return err == nil && st.Mode().IsRegular() })
}

// input is how pixels become numbers, as far as the options say.
func (o *Options) input() bundle.Input {
	in := bundle.Input{Prep: prep.Linear, Width: o.Size, Height: o.Size, Colour: o.Colour, Fit: o.Fit}
	if in.Colour == "" {
		in.Colour = "rgb"
		if idx(o.Data) {
			in.Colour = "gray"
		}
	}
	for _, v := range o.Mean {
		in.Mean = append(in.Mean, float32(v))
	}
	for _, v := range o.Std {
		in.Std = append(in.Std, float32(v))
	}
	return in
}

// NetIn lets net= name a file in a folder of models, which set-up fills, without its path and ending. Names of presets and paths stay.
func (o *Options) NetIn(folder string) {
	file := filepath.Join(folder, o.Net+".tflite")
	if st, err := os.Stat(file); o.Net == filepath.Base(o.Net) && err == nil && st.Mode().IsRegular() {
		o.Net = file
	}
}

// ownInput is the size that the network has by itself.
func (o *Options) ownInput() (engine.Shape, error) {
	n, _, err := Network(&Options{Net: o.Net, Cut: o.Cut}, nil, []dataset.Head{{Name: "class", Labels: make([]string, 2)}})
	if err != nil {
		return nil, err
	}
	if len(n.Input) != 3 {
		return nil, fmt.Errorf("net=%s takes features, not pictures", o.Net)
	}
	return n.Input, nil
}

// Shape is the network's input as far as the options say; nil: the network's own.
func (o *Options) Shape() (engine.Shape, error) {
	if o.Size == 0 && o.Colour == "" {
		return nil, nil
	}
	s, err := o.ownInput()
	if err != nil {
		return nil, err
	}
	if o.Size > 0 {
		s[0], s[1] = o.Size, o.Size
	}
	in := bundle.Input{Colour: o.Colour}
	if c := in.Channels(); c > 0 {
		s[2] = c
	}
	return s, nil
}

// Network makes the network that the options name, for pictures of a shape (nil: the network's own) and heads, and the weights
// that it begins with. A network that is trained through int8 has its batch norms folded.
func Network(o *Options, input engine.Shape, heads []dataset.Head) (*net.Net, net.Weights, error) {
	var as []net.Head
	for _, h := range heads {
		as = append(as, net.Head{Name: h.Name, Classes: len(h.Labels)})
	}
	n, w, err := o.plainNetwork(input, as)
	if err != nil {
		return nil, nil, err
	}
	if o.Start != "" {
		if w, err = weights.Load(o.Start, n, heads); err != nil {
			return nil, nil, err
		}
	}
	if o.Quantise != 0 {
		if n, w, err = n.Fold(w); err != nil {
			return nil, nil, err
		}
	}
	return n, w, n.Freeze(o.Freeze...)
}

// hidden is how many units squares= makes for heads.
func (o *Options) hidden(heads []net.Head) (units int) {
	for _, h := range heads {
		if o.Squares > 0 {
			units += linear.Units(h.Classes, o.Squares)
		}
	}
	return units
}

func (o *Options) plainNetwork(input engine.Shape, heads []net.Head) (*net.Net, net.Weights, error) {
	if strings.HasSuffix(strings.ToLower(o.Net), ".tflite") {
		m, err := flat.ReadFile(o.Net)
		if err != nil {
			return nil, nil, err
		}
		name := strings.TrimSuffix(filepath.Base(o.Net), filepath.Ext(o.Net))
		n, w, err := net.Import(m, net.ImportOptions{Name: name, At: o.Cut, Input: input, Heads: heads, Units: o.Units, Drop: max(o.Drop, 0),
			Norms: o.Norms, Seed: o.Seed, Squares: o.hidden(heads)})
		if err != nil {
			return nil, nil, fmt.Errorf("net=%s: %w", o.Net, err)
		}
		return n, w, nil
	}
	n, err := net.New(o.Net, net.Options{Input: input, Heads: heads, Width: o.Width, Depth: o.Depth, Units: o.Units, Drop: o.Drop})
	if err != nil && !slices.Contains(net.Names(), o.Net) {
		return nil, nil, fmt.Errorf("%w; a .tflite file will do as well, and make setup fetches some that go by name, such as ssd-oidv4", err)
	}
	if err != nil {
		return nil, nil, err
	}
	return n, n.First(o.Seed), nil
}
