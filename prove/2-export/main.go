// Command 2-export proves that every network of train/net can be written as a float32, a float16 and an int8 file that answers
// as the network does: probabilities within 1e-4 and 5e-3 on 1,000 pictures that none of them has seen, and for int8 a loss of
// more than one point of accuracy excluded by a paired test on 10,000. Beside it stand the files' latencies through XNNPACK on one
// thread and the networks' multiplications.
//
// The networks are trained briefly on Fashion-MNIST first, for a minute or so each: a label says something only of a network
// that has learnt something. The big ones are narrower and see smaller pictures than their papers', as the table says. Where
// rounding to int8 by calibration alone loses too much, the network is fine-tuned for some steps with fake quantisation, which
// the table says as well.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"gleaner/train/engine/onednn"
	"gleaner/train/export"
)

const bar = "1e-4, 5e-3, less than 1 point lost"

func main() {
	only := flag.String("only", "", "only networks whose names begin so, for a look at one")
	flag.Parse()
	if err := onednn.Passive(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err := run(context.Background(), *only); err != nil {
		fmt.Printf("FIGURE %s BAR %s FAIL\n", strings.ReplaceAll(err.Error(), "\n", "; "), bar)
		os.Exit(1)
	}
}

// run proves one network after the other and prints the table. A file that fails is in the table and in the figure.
func run(ctx context.Context, only string) error {
	dir, err := os.MkdirTemp("", "export")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var rows []*row
	for _, e := range entries {
		if !strings.HasPrefix(e.name, only) {
			continue
		}
		r, err := prove(ctx, e, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		rows = append(rows, r)
		fmt.Printf("%s: %d steps in %.0f s\n", e.name, e.steps, r.trained.Seconds())
		for _, f := range r.files {
			fmt.Println("  " + f.report.String())
			if f.failed != nil {
				fmt.Println("  FAILED: " + f.failed.Error())
			}
		}
	}
	fmt.Println(table(rows))
	figure, pass := verdict(rows)
	fmt.Printf("FIGURE %s BAR %s %s\n", figure, bar, map[bool]string{true: "PASS", false: "FAIL"}[pass])
	if !pass {
		os.Exit(1)
	}
	return nil
}

func table(rows []*row) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nnetwork\tinput\twidth\tMMACs\tkB\tf16 kB\tint8 kB\tΔ f32\tΔ f16\tΔ int8\talike %\tright %\tint8 %\tlost ≤\tint8 by\tµs\tf16 µs\tint8 µs\tGMAC/s\tint8\t")
	for _, r := range rows {
		f, h, i := r.files[0], r.files[1], r.files[2]
		q := i.report.Heads[0]
		n := float64(i.report.N)
		fmt.Fprintf(w, "%s\t%s\t%g\t%.1f\t%d\t%d\t%d\t%.1e\t%.1e\t%.1e\t%.1f\t%.1f\t%.1f\t%.2f\t%s\t%.0f\t%.0f\t%.0f\t%.1f\t%.1f\t\n", r.name,
			r.input, r.width, float64(r.macs)/1e6, f.bytes/1000, h.bytes/1000, i.bytes/1000, f.report.Heads[0].MaxDelta,
			h.report.Heads[0].MaxDelta, q.MaxDelta, 100*float64(q.Agree)/n, 100*float64(q.RightNet)/n, 100*float64(q.RightFile)/n,
			100*q.Paired.LossBound(), i.by, f.micros, h.micros, i.micros, float64(r.macs)/f.micros/1e3, float64(r.macs)/i.micros/1e3)
	}
	w.Flush()
	return b.String()
}

// verdict is the worst of each kind.
func verdict(rows []*row) (figure string, pass bool) {
	pass = len(rows) > 0
	worst := map[export.Kind]float64{}
	for _, r := range rows {
		for _, f := range r.files {
			q := f.report.Heads[0]
			d := q.MaxDelta
			if f.report.Kind == export.Int8 {
				d = 100 * q.Paired.LossBound()
			}
			worst[f.report.Kind] = max(worst[f.report.Kind], d)
			pass = pass && f.failed == nil
		}
	}
	return fmt.Sprintf("%d networks, worst |Δp| %.1e as float32 and %.1e as float16, at most %.2f points lost as int8", len(rows),
		worst[export.Float32], worst[export.Float16], worst[export.Int8]), pass
}
