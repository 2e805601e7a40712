package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

func newCheck() *cobra.Command {
	var f configFlags
	var show, asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration without opening anything",
		Long: `Read the configuration as the daemon would (defaults, file, environment, --set) and say whether it is sound.
With --show, print the whole of it as it would be used. Cameras, models and brokers are not touched: doctor tries
them.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := f.load()
			if err != nil {
				return err
			}
			w := c.OutOrStdout()
			switch {
			case show:
				enc := yaml.NewEncoder(w)
				enc.SetIndent(2)
				return enc.Encode(cfg)
			case asJSON:
				return json.NewEncoder(w).Encode(map[string]any{"ok": true, "cameras": len(cfg.Cameras)})
			}
			_, err = fmt.Fprintf(w, "ok: %d camera(s)\n", len(cfg.Cameras))
			return err
		},
	}
	f.add(c)
	c.Flags().BoolVar(&show, "show", false, "print the whole configuration as it would be used")
	c.Flags().BoolVar(&asJSON, "json", false, "the answer as JSON")
	return c
}
