package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gleaner/train/runs"
)

func newRuns() *cobra.Command {
	c := &cobra.Command{
		Use: "runs", Short: "List the runs of train, and compare them",
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newRunsList(), newRunsCompare())
	return c
}

func newRunsList() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list [DIR...]", Short: "List the runs in folders (here) with what they came to",
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			all := []*runs.Run{}
			for _, dir := range args {
				found, err := runs.List(dir)
				if err != nil {
					return &badInput{err}
				}
				for _, at := range found {
					r, err := runs.Read(at)
					if err != nil {
						fmt.Fprintf(c.ErrOrStderr(), "WARNING: %s\n", oneLine(err)) // one that is broken hides no others
						continue
					}
					r.History = nil
					all = append(all, r)
				}
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(all)
			}
			return runs.WriteList(c.OutOrStdout(), all)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

func newRunsCompare() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "compare DIR DIR...", Short: "Set finished runs side by side: which options differ, what they came to, which is better",
		Long: `Set finished runs side by side: which options differ, the best and the last epoch, the accuracy with its interval, the processor
time. Each run is compared with the first one on the pictures that both answered (McNemar's test, exact): on test pictures where
both have them, else on validation pictures.
  gleaner runs compare runs/first runs/second`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &badInput{errors.New("no run is named; gleaner runs list shows which there are")}
			}
			var all []*runs.Run
			for _, dir := range args {
				r, err := runs.Read(dir)
				if err != nil {
					return &badInput{err}
				}
				all = append(all, r)
			}
			compared, err := runs.Compare(all)
			if err != nil {
				return &badInput{err}
			}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(compared)
			}
			return compared.WriteText(c.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object instead of text")
	return c
}
