package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// table is PROVEN.md: the last result of each proof, by name.
type table map[string]result

const tableHead = `# Proven

Written by ` + "`make prove`" + `; each row is the last run of one proof under prove/, with the commit it ran on (+ marks a tree
that differed from it). Figures are of the machine that ran them.

| proof | figure | bar | result | date | commit |
|---|---|---|---|---|---|
`

// readTable reads the rows of an earlier run. A file that does not exist is an empty table.
func readTable(path string) (table, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return table{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read earlier results: %w", err)
	}
	t := table{}
	for line := range strings.Lines(string(text)) {
		name, r, ok := parseRow(line)
		if ok {
			t[name] = r
		}
	}
	return t, nil
}

// parseRow reads one row; the heads of the table and other lines are not rows.
func parseRow(line string) (name string, r result, ok bool) {
	const bar = "\x00" // stands for an escaped bar while the row is cut at the others
	cells := strings.Split(strings.ReplaceAll(strings.TrimSpace(line), `\|`, bar), "|")
	if len(cells) != 8 {
		return "", result{}, false
	}
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(strings.TrimSpace(c), bar, "|")
	}
	if cells[4] != "PASS" && cells[4] != "FAIL" {
		return "", result{}, false
	}
	return cells[1], result{figure: cells[2], bar: cells[3], pass: cells[4] == "PASS", date: cells[5], commit: cells[6]}, true
}

// write replaces the file at path in one step.
func (t table) write(path string) error {
	var b strings.Builder
	b.WriteString(tableHead)
	for _, name := range slices.Sorted(maps.Keys(t)) {
		r := t[name]
		for _, cell := range []string{name, r.figure, r.bar, r.word(), r.date, r.commit} {
			b.WriteString("| " + strings.ReplaceAll(cell, "|", `\|`) + " ")
		}
		b.WriteString("|\n")
	}
	if err := renameio.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
