package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"gleaner/capture/cv"
	"gleaner/model/tflite"
)

func newVersion() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "version", Short: "Which version this is, and which native parts are in it", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v := struct {
				Version string `json:"version"`
				Go      string `json:"go"`
				Arch    string `json:"arch"`
				OpenCV  string `json:"opencv"`
				TFLite  string `json:"tflite"`
			}{version, runtime.Version(), runtime.GOARCH, cv.Version(), tflite.Version()}
			if asJSON {
				return json.NewEncoder(c.OutOrStdout()).Encode(v)
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "gleaner %s (%s, %s)\nOpenCV: %s\nTensorFlow Lite: %s\n",
				v.Version, v.Go, v.Arch, v.OpenCV, v.TFLite)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}
