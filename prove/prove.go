// Command prove runs the project's proofs and records their figures in PROVEN.md.
//
// A proof is a program that shows one line of an issue's "must show": a folder prove/NAME with a main package, or a script
// prove/NAME.sh, where NAME begins with the ordinal, as in 1-conveyor. It runs in the repository root, prints what
// it likes, and prints last on standard output
//
//	FIGURE what was measured BAR what it had to be PASS
//
// or the same with FAIL, and exits with 0 only if it passed. A proof that ends without such a line, or whose word and exit
// code disagree, has failed. Arguments select proofs by the start of their names; none selects all. Rows of proofs that did
// not run are kept as they were. The exit code is 1 if any proof failed.
//
// The proofs themselves, and anything that measures, are not in this package.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := prove(ctx, "prove", "PROVEN.md", os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "prove:", err)
		os.Exit(1)
	}
}

// prove runs the proofs of dir that the prefixes select and writes their results into the table at path after each, so
// that an interrupted run keeps what it had.
func prove(ctx context.Context, dir, path string, prefixes []string) error {
	proofs, err := find(dir, prefixes)
	if err != nil {
		return err
	}
	table, err := readTable(path)
	if err != nil {
		return err
	}
	failed := 0
	for _, p := range proofs {
		fmt.Printf("== %s\n", p.name)
		r := p.run(ctx, os.Stdout)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if !r.pass {
			failed++
		}
		r.date, r.commit = time.Now().UTC().Format(time.DateOnly), commit()
		if table, err = readTable(path); err != nil { // other proofs may have ended meanwhile
			return err
		}
		table[p.name] = r
		if err := table.write(path); err != nil {
			return err
		}
	}
	for _, p := range proofs {
		fmt.Printf("%-4s %-16s %s\n", table[p.name].word(), p.name, table[p.name].figure)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d failed", failed, len(proofs))
	}
	return nil
}

// commit is the short name of the commit that was run, with a mark if the tree differs from it.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty=+", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return string(out[:len(out)-1])
}
