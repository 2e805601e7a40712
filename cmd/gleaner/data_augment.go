package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gleaner/train/dataset/preview"
	"gleaner/train/recipe"
)

func newDataAugment() *cobra.Command {
	var out string
	var rows, epochs int
	c := &cobra.Command{Use: "augment PICTURES [key=value...]", Short: "Draw training pictures as a network will see them",
		Long: `Draw a sheet of training pictures as gleaner train with the same options will show them to the network, changed at random and
mixed: a row for each picture, the first column as it is, then one for each epoch.
  gleaner data augment waste.set augment=belt cutout=20 erase=0.5 -o sheet.jpg
PICTURES and the keys are those of gleaner train.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ext := strings.ToLower(filepath.Ext(out))
			if ext != ".jpg" && ext != ".jpeg" && ext != ".html" {
				return &badInput{fmt.Errorf("%s: a sheet is a .jpg or an .html file", out)}
			}
			if err := mayWrite("-o ", out); err != nil {
				return err
			}
			sheet, err := augmentSheet(c, args, rows, epochs)
			if err != nil {
				return err
			}
			write := sheet.WriteJPEG
			if ext == ".html" {
				write = sheet.WriteHTML
			}
			if err := writeFile("-o ", out, write); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %d pictures, as %d epochs show them\n", out, len(sheet.Rows), epochs)
			return err
		}}
	f := c.Flags()
	f.StringVarP(&out, "out", "o", "sheet.jpg", "the sheet to write, .jpg or .html")
	f.IntVar(&rows, "rows", 8, "pictures, the classes in turn, 1 to 100")
	f.IntVar(&epochs, "epochs", 8, "views of each picture, 1 to 100")
	return c
}

// augmentSheet opens the training pictures and draws the sheet. args are the pictures and the options.
func augmentSheet(c *cobra.Command, args []string, rows, epochs int) (*preview.Sheet, error) {
	if rows < 1 || rows > 100 || epochs < 1 || epochs > 100 {
		return nil, &badInput{fmt.Errorf("--rows=%d --epochs=%d: each is in 1 to 100", rows, epochs)}
	}
	o := recipe.DefaultOptions()
	o.Data, o.Out = args[0], "sheet"
	err := o.SetAll(args[1:])
	if err == nil {
		err = o.Check()
	}
	if err != nil {
		return nil, &badInput{err}
	}
	o.Test, o.Export = "none", "float32" // nothing is tried or exported
	data, err := recipe.Open(c.Context(), &o, progress(c.ErrOrStderr(), "pictures"))
	if err != nil {
		return nil, &badInput{err}
	}
	feed := o.Feed()
	feed.Batch = min(feed.Batch, feed.Balance.Drawn(data.Train)) // as in training
	return preview.Make(data.Train, preview.Options{Title: filepath.Base(args[0]), Input: data.Input, Feed: feed, Rows: rows, Epochs: epochs})
}
