package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/capture/cv"
	"gleaner/model/bundle"
	"gleaner/model/bundle/catalogue"
	"gleaner/train/dataset/crop"
	"gleaner/train/dataset/importer"
	"gleaner/train/dataset/labels"
	"gleaner/train/dataset/spot"
)

// cropKeys are the keys of data crop with what they mean, for --help.
const cropKeys = `  detector=NAME         bundle by name or folder, or a .tflite file; a name that lies ready after make setup need not be
                        installed, such as ssd-oidv4
  labels=FILE           the classes of a .tflite file that does not bring them, one a line
  classes=A,B           keep these classes of the detector (all)
  supercategories=A,B   keep these super-categories: those of the pictures' COCO file, of the bundle, or COCO's twelve (person,
                        vehicle, outdoor, animal, accessory, sports, kitchen, food, furniture, electronic, appliance, indoor)
  label=detector        a crop's class: detector, what the detector calls it; picture, the picture's own, such as its folder
  min=SCORE             cut out boxes from this score on, 0 to 1 (three fifths of what the detector's maker advises)
  doubt=SCORE           show boxes from this score on as doubtful (half of min)
  most=N                cut out at most the N likeliest boxes of a picture (0: all)
  margin=0.1            surroundings to keep on each side, as a share of the box's longer side
  size=160 fit=letterbox  width and height of an example in pixels, and how a crop gets there: letterbox, stretch, crop
  min-side=N            do not cut out boxes whose shorter side has fewer pixels
  tile-from=2000        longest side in pixels from which a picture is also looked at in tiles; 0: never
  tile=PIXELS           side of the smallest tiles; 0: a quarter of the picture's longest side
  overlap=0.5           share of a tile's side that neighbours have in common
  looks=4               how often the network looks at a part of a picture: 1; 2, also mirrored; 4, and twice at the whole undistorted
  format=, pattern=     how the pictures' labels are kept, as in data import
  workers=N             pictures at a time (as many as there are processors)
  review=PAGE           the page to write (SET.review.html)`

func newDataCrop() *cobra.Command {
	var store configFlags
	var out string
	var asJSON bool
	c := &cobra.Command{Use: "crop PICTURES detector=NAME [key=value...]", Short: "Cut objects out of pictures where a detector finds them",
		Long: `Cut out of pictures what a detector finds in them, into one data set file. PICTURES is a folder, with all that is below it, a list
(one path on a line, or CSV or TSV), or a COCO file or folder, whose labels then tell what share was found.
  gleaner data crop photos -o crops.set detector=ssd-oidv4 classes=Bottle,Mug
  gleaner data crop watches -o watches.set detector=coco.tflite labels=coco.txt classes=clock label=picture most=1
Large pictures are looked at as a whole and in tiles. Beside the set come a page with the pictures in which nothing was found and
the boxes that are doubtful, SET.review.html, and all boxes, a line for each picture, SET.boxes.jsonl. Pictures that are stored turned
(EXIF) are looked at and cut upright; boxes are in stored pixels, as in data import. What is wrong with a file is listed with
its reason and stops nothing. A crop that was interrupted goes on when it is run again.

` + cropKeys,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o, err := parseCrop(args)
			if err != nil {
				return &badInput{err}
			}
			o.out = out
			if o.out == "" {
				o.out = setName(o.pictures)
			}
			o.crop.Progress = progress(c.ErrOrStderr(), "pictures")
			return o.run(c, &store, asJSON)
		}}
	c.Flags().StringVarP(&out, "out", "o", "", "the file to write (the folder's name with .set)")
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object instead of text")
	store.add(c)
	return c
}

// cropOptions are what data crop was asked.
type cropOptions struct {
	pictures, out, review, detector, labels string
	read                                    labels.Options
	crop                                    crop.Options
}

// parseCrop reads the pictures and the key=value arguments.
func parseCrop(args []string) (o cropOptions, err error) {
	o.pictures, o.crop = args[0], crop.DefaultOptions()
	o.crop.NewDecoder = func() importer.Decoder { return cv.NewDecoder() }
	texts := map[string]*string{"detector": &o.detector, "labels": &o.labels, "review": &o.review, "label": &o.crop.Label, "fit": &o.crop.Fit,
		"format": &o.read.Format, "pattern": &o.read.Pattern}
	lists := map[string]*[]string{"classes": &o.crop.Classes, "supercategories": &o.crop.Supers}
	floats := map[string]*float64{"min": &o.crop.Min, "doubt": &o.crop.Doubt, "margin": &o.crop.Margin, "overlap": &o.crop.Look.Overlap}
	ints := map[string]*int{"most": &o.crop.Most, "size": &o.crop.Size, "min-side": &o.crop.MinSide, "tile-from": &o.crop.Look.TileFrom,
		"tile": &o.crop.Look.Tile, "looks": &o.crop.Look.Looks, "workers": &o.crop.Workers}
	for _, a := range args[1:] {
		key, value, ok := strings.Cut(a, "=")
		if !ok {
			return o, fmt.Errorf("%s: not of the form key=value", a)
		}
		if text := texts[key]; text != nil {
			*text = value
		} else if list := lists[key]; list != nil {
			*list = words(value)
		} else if f := floats[key]; f != nil {
			*f, err = strconv.ParseFloat(value, 64)
		} else if n := ints[key]; n != nil {
			*n, err = strconv.Atoi(value)
		} else {
			keys := slices.Concat(slices.Sorted(maps.Keys(texts)), slices.Sorted(maps.Keys(lists)), slices.Sorted(maps.Keys(floats)), slices.Sorted(maps.Keys(ints)))
			return o, fmt.Errorf("%s: unknown key%s gleaner data crop --help lists the keys", key, meant("", key, keys))
		}
		if err != nil {
			return o, fmt.Errorf("%s: not a number", a)
		}
	}
	if o.detector == "" {
		return o, errors.New("detector=NAME is missing: what is to find the objects; gleaner models list shows what there is")
	}
	return o, o.crop.Check()
}

// words is a list such as clock,wine glass.
func words(list string) (all []string) {
	for w := range strings.SplitSeq(list, ",") {
		if w = strings.TrimSpace(w); w != "" {
			all = append(all, w)
		}
	}
	return all
}

// run crops, and writes set and page.
func (o *cropOptions) run(c *cobra.Command, store *configFlags, asJSON bool) error {
	if o.review != "" {
		if err := mayWrite("review=", o.review); err != nil {
			return err
		}
	}
	path, err := findDetector(c.Context(), store, o.detector, c.ErrOrStderr())
	if err != nil {
		return err
	}
	list, err := crop.Pictures(o.pictures, o.crop.Label, o.read)
	if err != nil {
		return &badInput{err}
	}
	d, err := spot.Open(c.Context(), path, o.labels, o.crop.Workers)
	if err != nil {
		return err
	}
	defer d.Close()
	r, err := crop.Crop(c.Context(), o.out, list, d, o.crop)
	if o.crop.Progress != nil {
		fmt.Fprint(c.ErrOrStderr(), "\r\x1b[K")
	}
	var unfit *crop.WantedError
	switch {
	case errors.As(err, &unfit):
		return &badInput{err}
	case err != nil && !errors.Is(err, crop.ErrNothing):
		return dataError(err)
	}
	if o.review == "" {
		o.review = o.out + ".review.html" // SET.html is data look's
	}
	if werr := writeFile("review=", o.review, func(w io.Writer) error { return r.WriteHTML(w, o.out) }); werr != nil {
		return werr
	}
	if err != nil {
		return fmt.Errorf("%w in %d pictures (%d files could not be read): see %s, and try a lower min=", err, r.Pictures, r.Unreadable, o.review)
	}
	return o.say(c.OutOrStdout(), r, asJSON)
}

func (o *cropOptions) say(w io.Writer, r *crop.Result, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(struct {
			Set    string `json:"set"`
			Review string `json:"review"`
			Boxes  string `json:"boxes"`
			*crop.Result
			Identity string `json:"identity"`
		}{o.out, o.review, crop.BoxesFile(o.out), r, fmt.Sprintf("%x", r.Identity)})
	}
	fmt.Fprintf(w, "%s: %d crops of %d pictures, found by %s from a score of %.2f on\n", o.out, r.Examples, r.Cropped, r.Detector, r.Min)
	if r.Truth != nil {
		fmt.Fprintf(w, "by the labels: %s\n", r.Recall())
	}
	_, err := fmt.Fprintf(w, "%d pictures with nothing, %d doubtful boxes, %d files that could not be read: %s\n", r.Misses, r.Doubtful, r.Unreadable, o.review)
	return err
}

// findDetector is the folder or file that a detector's name stands for: an installed bundle, a folder, a .tflite file, or a model
// of the catalogue that setup has fetched, which it installs.
func findDetector(ctx context.Context, f *configFlags, ref string, stderr io.Writer) (string, error) {
	if st, err := os.Stat(ref); err == nil && (!st.IsDir() || strings.ContainsRune(ref, filepath.Separator)) {
		return ref, nil
	}
	if strings.EqualFold(filepath.Ext(ref), ".tflite") {
		return "", &badInput{fmt.Errorf("detector=%s: no such file", ref)}
	}
	s, err := f.store()
	if err != nil {
		return "", err
	}
	dir, err := s.Resolve(ref)
	if !errors.Is(err, bundle.ErrNotFound) {
		return dir, err
	}
	if e, known := catalogue.Find(ref); known == nil && e.Model.Native != "" {
		id, err := pull(ctx, s, ref, "", stderr)
		if err != nil {
			return "", err
		}
		return s.Resolve(id)
	}
	return "", err
}
