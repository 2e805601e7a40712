package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gleaner/train/garments"
)

func newDataGarments() *cobra.Command {
	o := garments.DefaultSetOptions()
	c := &cobra.Command{Use: "garments FOLDER", Short: "Draw garments on the demo's belt and crop them: a set to try training on",
		Long: `Draw garments of Fashion-MNIST on the demo's belt and crop them as a camera does, and write the crops, and garments as they are, as
a folder of IDX files. It takes minutes. The demo's classifier learnt from it:
  gleaner data garments runs/garments-set
  gleaner train recipe=clothing data=runs/garments-set export=float16 out=runs/garments`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.Progress = progress(c.ErrOrStderr(), "pictures")
			n, err := garments.WriteSet(c.Context(), args[0], o)
			if err != nil {
				return &badInput{err}
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %d pictures to learn from, %d to be tried on; next: gleaner train recipe=clothing data=%s export=float16 out=runs/garments\n",
				args[0], n.Train, n.Test, args[0])
			return err
		}}
	f := c.Flags()
	f.IntVar(&o.Stills, "stills", o.Stills, "garments as they are, at most 60000")
	f.IntVar(&o.OnBelt, "belt", o.OnBelt, "garments on the belt, at most 60000")
	f.IntVar(&o.TestBelt, "test", o.TestBelt, "garments on the belt to be tried on, at most 10000")
	return c
}
