package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gleaner/capture/cv"
	"gleaner/train/dataset/importer"
	"gleaner/train/dataset/labels"
	"gleaner/train/dataset/look"
	"gleaner/train/dataset/pack"
	"gleaner/train/dataset/similar"
	"gleaner/train/dataset/split"
	"gleaner/train/features"
	"gleaner/train/imprint"
)

func newData() *cobra.Command {
	c := &cobra.Command{Use: "data", Short: "Bring pictures and labels into one file, and see what is wrong with them",
		Long: `Bring labelled pictures into one checksummed file, and look at them before training:
  gleaner data import photos/ -o waste.set
  gleaner data look waste.set
  gleaner train data=waste.set out=runs/first`,
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(newDataImport(), newDataLook(), newDataSplit(), newDataCrop(), newDataAugment(), newDataMerge(), newDataVerify(), newDataGarments())
	return c
}

func newDataImport() *cobra.Command {
	var read labels.Options
	o := importer.Options{Size: 160, NewDecoder: func() importer.Decoder { return cv.NewDecoder() }}
	var out, mapFile string
	var asJSON bool
	c := &cobra.Command{Use: "import PICTURES", Short: "Cut labelled objects out of pictures into one file",
		Long: `Cut labelled objects out of pictures into one data set file. PICTURES is a folder with a sub-folder per class (also below
train, val and test), a folder whose file names begin with the class, a COCO folder or file, a folder of AI-Hub's waste sets, or a list
(CSV, also with tabs or semicolons) with the columns path and class (and x0, y0, x1, y1, or xmin, ymin, xmax, ymax, group, and any
attribute). What is wrong with a file or a box is listed with its reason and
stops nothing. An import that was interrupted goes on when it is run again.

The file of --map is YAML: coarse classes, each with the fine ones that it joins, and, where wanted,
  classes: {container: [glass, metal], paper: [newspaper, carton]}
  rules: [{when: {dirtiness: [dirty]}, class: general}]   # by attributes, and asked first
  by: [material]                                          # attributes to look up where the class is not listed
  others: drop                                            # or a class, for what nothing names; without it, that is an error`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				out = setName(args[0])
			}
			list, err := openLabels(args[0], read, mapFile, &o)
			if err != nil {
				return &badInput{err}
			}
			o.Progress = progress(c.ErrOrStderr(), "pictures")
			r, err := importer.Import(c.Context(), out, list, o)
			if err != nil {
				return dataError(err)
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(map[string]any{"set": out, "format": list.Format, "pictures": r.Pictures,
					"examples": r.Examples, "left_out": r.LeftOut, "mended": r.Mended, "identity": fmt.Sprintf("%x", r.Identity)})
			}
			such := ""
			if r.LeftOut > 0 {
				such = fmt.Sprintf(" (such as %s, %s: %s)", r.First.Path, r.First.What, r.First.Reason)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %d examples of %d pictures (%s), %d left out%s, %d mended; see them: gleaner data look %s\n",
				out, r.Examples, r.Pictures, list.Format, r.LeftOut, such, r.Mended, out)
			return err
		}}
	f := c.Flags()
	f.StringVarP(&out, "out", "o", "", "the file to write (the folder's name with .set)")
	f.StringVar(&read.Format, "format", "", "how the labels are kept: "+strings.Join(labels.Formats, ", ")+" (found out)")
	f.StringVar(&read.Pattern, "pattern", "", "with --format names: a regular expression with a group named class, and others for group and attributes")
	f.IntVar(&o.Size, "size", o.Size, "width and height of an example in pixels")
	f.StringVar(&o.Fit, "fit", "letterbox", "how a crop of another shape gets there: letterbox, stretch or crop")
	f.Float64Var(&o.Margin, "margin", 0, "surroundings to keep on each side, as a share of the box's longer side")
	f.IntVar(&o.MinSide, "min-side", 0, "leave out boxes whose shorter side has fewer pixels")
	f.StringVar(&mapFile, "map", "", "file that joins fine classes into coarse ones (YAML)")
	f.BoolVar(&asJSON, "json", false, "one JSON object instead of text")
	return c
}

// openLabels checks what an import was asked, and reads labels and label map.
func openLabels(pictures string, read labels.Options, mapFile string, o *importer.Options) (*labels.List, error) {
	if err := (pack.Format{Width: o.Size, Height: o.Size, Fit: o.Fit, Margin: o.Margin}).Check(); err != nil {
		return nil, err
	}
	if o.MinSide < 0 {
		return nil, fmt.Errorf("min-side=%d: a side has 0 pixels or more", o.MinSide)
	}
	list, err := labels.Open(pictures, read)
	if err == nil && mapFile != "" {
		o.Map, err = labels.ReadMap(mapFile)
	}
	return list, err
}

// dataError tells apart what the user gave from what went wrong.
func dataError(err error) error {
	var un *labels.Unmapped
	var none *importer.NothingError
	var format *pack.FormatError
	if errors.As(err, &un) || errors.As(err, &none) || errors.As(err, &format) {
		return &badInput{err}
	}
	for _, e := range []error{pack.ErrNotASet, pack.ErrDamaged, pack.ErrUnfinished, pack.ErrVersion, pack.ErrBusy, os.ErrExist, os.ErrNotExist, os.ErrPermission} {
		if errors.Is(err, e) {
			return &badInput{err}
		}
	}
	return err
}

func newDataLook() *cobra.Command {
	var out, backbone string
	var asJSON, plain bool
	c := &cobra.Command{Use: "look SET", Short: "See what a data set holds and what is odd about it, as a page",
		Long: `See what a data set holds: counts, sizes, copies and near copies, likely label errors, unusual light and blur. It writes one page
with pictures, SET.html. Label errors are found by a classifier on a backbone's features that did not see the picture it judges.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				out = args[0] + ".html"
			}
			if !asJSON {
				if err := mayWrite("-o ", out); err != nil {
					return err
				}
			}
			s, err := pack.Open(args[0])
			if err != nil {
				return dataError(err)
			}
			defer s.Close()
			var o look.Options
			if !plain {
				if o.Features, err = dataFeatures(c.Context(), s, backbone, c.ErrOrStderr()); err != nil {
					err = fmt.Errorf("%w (without label errors: --plain)", err)
					if backbone != "" {
						return &badInput{err}
					}
					return dataError(err)
				}
			}
			r, err := look.At(s, o)
			if err != nil {
				return dataError(err)
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(r)
			}
			bad := writeFile("-o ", out, func(w io.Writer) error { return r.WriteHTML(w, s) })
			if bad != nil {
				out = "no page" // the figures are told all the same
			}
			if err := lookText(c.OutOrStdout(), r, out); err != nil {
				return err
			}
			return dataError(bad)
		}}
	c.Flags().StringVarP(&out, "out", "o", "", "the page to write (SET.html)")
	c.Flags().BoolVar(&asJSON, "json", false, "JSON instead of a page")
	c.Flags().BoolVar(&plain, "plain", false, "do not look for label errors, which takes a backbone")
	c.Flags().StringVar(&backbone, "backbone", "", "a .tflite file whose only output is taken for features (the network that setup fetched)")
	return c
}

// setName is the data set file's name for what lies at a path, in the present folder: the path's last name, in any script.
func setName(path string) string {
	if abs, err := filepath.Abs(path); err == nil { // "." has a name as well
		path = abs
	}
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	if st, err := os.Stat(path); name == "" || err == nil && st.IsDir() {
		name = filepath.Base(path)
	}
	return strings.Trim(name, string(filepath.Separator)) + ".set"
}

// lookText is the report in a few lines.
func lookText(w io.Writer, r *look.Report, page string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, n := range r.Counts {
		fmt.Fprintf(t, "%s\t%d examples\t%d pictures\n", n.Class, n.Examples, n.Sources)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	labels := "labels not looked at"
	if r.Labels != nil {
		doubted := 0
		for _, f := range r.Labels {
			if f.Score > 0 {
				doubted++
			}
		}
		labels = fmt.Sprintf("%d doubtful labels", doubted)
	}
	for _, warning := range r.Warnings {
		fmt.Fprintln(w, warning)
	}
	_, err := fmt.Fprintf(w, "%d copies, %d near copies, %s, %d of unusual light, %d blurred: %s\n", r.CopiesAll, r.NearAll,
		labels, len(r.Light), len(r.Blurred), page)
	return err
}

// dataFeatures are the answers of a backbone, a .tflite file or else the one that setup fetched, kept in the user's cache.
func dataFeatures(ctx context.Context, s *pack.Set, file string, stderr io.Writer) ([][]float32, error) {
	o := features.Options{Progress: progress(stderr, "pictures"), Note: func(text string) { fmt.Fprintln(stderr, text) }}
	var err error
	if file != "" {
		o.Backbone, o.Input, err = imprint.BackboneFile(file)
	} else {
		o.Backbone, o.Input, err = imprint.Backbone(ctx, nativeDir(), min(s.Format.Width, 160))
	}
	if err != nil {
		return nil, err
	}
	if cache, err := os.UserCacheDir(); err == nil {
		o.Cache = filepath.Join(cache, "gleaner", "features")
	}
	return features.Of(ctx, s, o)
}

func newDataSplit() *cobra.Command {
	var shares []float64
	var seed uint64
	var folds int
	var out string
	c := &cobra.Command{Use: "split SET", Short: "Deal a data set into parts that share nothing",
		Long: `Deal a data set's examples into parts: each class keeps its share, and what belongs together (a group, a picture, near copies)
stays in one part. The same seed gives the same parts, and they are written down in SET.split.json, for other programs: gleaner
train deals its own by the same rules (val=, fold=).`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				out = args[0] + ".split.json"
			}
			if err := mayWrite("-o ", out); err != nil {
				return err
			}
			s, err := pack.Open(args[0])
			if err != nil {
				return dataError(err)
			}
			defer s.Close()
			hashes, flat, err := similar.Hashes(s)
			if err != nil {
				return err
			}
			cluster := similar.Clusters(hashes, flat)
			var part []int
			if c.Flags().Changed("folds") {
				if folds < 2 {
					return &badInput{fmt.Errorf("%d folds: at least 2 are needed", folds)}
				}
				if part, err = split.Folds(s.Examples, cluster, folds, seed); err == nil { // there are enough examples for so many
					shares = slices.Repeat([]float64{1 / float64(folds)}, folds)
				}
			} else {
				part, err = split.Parts(s.Examples, cluster, shares, seed)
			}
			if err != nil {
				return &badInput{err}
			}
			if err := writeFile("-o ", out, func(w io.Writer) error { return split.Write(w, s, part, shares, seed) }); err != nil {
				return dataError(err)
			}
			return splitText(c.OutOrStdout(), s, part, len(shares), out)
		}}
	c.Flags().Float64SliceVar(&shares, "shares", []float64{0.7, 0.15, 0.15}, "the parts' `SHARES`: training, validation, test")
	c.Flags().Lookup("shares").DefValue = "0.7,0.15,0.15"
	c.Flags().IntVar(&folds, "folds", 0, "so many parts of one size instead, for cross-validation")
	c.Flags().Uint64Var(&seed, "seed", 1, "decides among equal ways")
	c.Flags().StringVarP(&out, "out", "o", "", "the file to write (SET.split.json)")
	return c
}

func splitText(w io.Writer, s *pack.Set, part []int, parts int, out string) error {
	names, _ := pack.Classes(s.Examples)
	count := map[string][]int{}
	for i, e := range s.Examples {
		if count[e.Class] == nil {
			count[e.Class] = make([]int, parts)
		}
		count[e.Class][part[i]]++
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "class\t")
	for p := range parts {
		fmt.Fprintf(t, "part %d\t", p)
	}
	fmt.Fprintln(t)
	for _, n := range names {
		fmt.Fprintf(t, "%s\t%s\t\n", n, strings.Join(strings.Fields(strings.Trim(fmt.Sprint(count[n]), "[]")), "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, out)
	return err
}

func newDataMerge() *cobra.Command {
	var out string
	c := &cobra.Command{Use: "merge SET SET...", Short: "Join data sets into one", Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				return &badInput{errors.New("names no file to write: -o all.set")}
			}
			var sets []*pack.Set
			given := 0
			for _, a := range args {
				s, err := pack.Open(a)
				if err != nil {
					return dataError(err)
				}
				defer s.Close()
				sets, given = append(sets, s), given+len(s.Examples)
			}
			if _, err := pack.Merge(out, sets...); err != nil {
				return dataError(err)
			}
			all, err := pack.Open(out)
			if err != nil {
				return dataError(err)
			}
			defer all.Close()
			n := len(all.Examples)
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %d examples, and %d of those given were there already, %x\n", out, n, given-n, all.Identity)
			return err
		}}
	c.Flags().StringVarP(&out, "out", "o", "", "the file to write")
	return c
}

func newDataVerify() *cobra.Command {
	return &cobra.Command{Use: "verify SET...", Short: "Check every example of data sets against its sum", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			for _, a := range args {
				s, err := pack.Open(a)
				if err == nil {
					err = s.Verify()
					s.Close()
				}
				if err != nil {
					return dataError(err)
				}
				fmt.Fprintf(c.OutOrStdout(), "%s: %d examples, %x\n", a, len(s.Examples), s.Identity)
			}
			return nil
		}}
}
