// Command 4-weather proves the weather recipe by five-fold cross-validation on 884 photos whose class is in the file name. Near
// copies stay in one fold; a fold's pictures choose nothing.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"gleaner/prove/internal/cv"
)

const bar = 0.98

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	figure, pass, err := prove(ctx)
	if err != nil {
		figure, pass = strings.Join(strings.Fields(err.Error()), " "), false
	}
	word := map[bool]string{true: "PASS", false: "FAIL"}[pass]
	fmt.Printf("FIGURE %s BAR macro-F1 at least %.2f %s\n", figure, bar, word)
	if !pass {
		os.Exit(1)
	}
}

func prove(ctx context.Context) (figure string, pass bool, err error) {
	dir, err := os.MkdirTemp("", "weather")
	if err != nil {
		return "", false, err
	}
	defer os.RemoveAll(dir)
	data, err := cv.Data("weather")
	if err != nil {
		return "", false, err
	}
	imagenet, err := cv.ImageNet()
	if err != nil {
		return "", false, err
	}
	registry, err := cv.Run(ctx, dir, "recipe=weather", "val=0", "data="+data, "epochs=0")
	if err != nil {
		return "", false, err
	}
	best, err := cv.Run(ctx, dir, append(imagenet, "recipe=weather", "val=0", "data="+data)...)
	if err != nil {
		return "", false, err
	}
	return fmt.Sprintf("macro-F1 %s with an ImageNet backbone, %s with heads on the registry's, frozen", cv.Text(best), cv.Text(registry)), best.Mean >= bar, nil
}
