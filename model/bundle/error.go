package bundle

import (
	"errors"
	"fmt"
	"strings"
)

// What is wrong with a bundle, for callers that branch on it; each is wrapped by an *Error.
var (
	// ErrNotFound says that there is no bundle, or that one of its files is missing.
	ErrNotFound = errors.New("not found")
	// ErrMismatch says that a file is not the one that was promised: its sha256 differs.
	ErrMismatch = errors.New("checksum mismatch")
	// ErrInvalid says that the manifest, the labels and the model do not fit each other or this program.
	ErrInvalid = errors.New("invalid bundle")
)

// Error says which file of a bundle or store is wrong, how, and what an operator can do about it.
type Error struct {
	Path    string // the file or folder
	Problem string // what is wrong with it, in words
	Hint    string // what to do; empty where nothing general can be said
	Err     error  // ErrNotFound, ErrMismatch, ErrInvalid, or what the operating system said
}

// Error is path and problem in one line, without the hint.
func (e *Error) Error() string {
	if e.Problem == "" {
		return fmt.Sprintf("%s: %v", e.Path, e.Err)
	}
	return e.Path + ": " + e.Problem
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

func invalid(path, hint, format string, a ...any) *Error {
	return &Error{Path: path, Problem: strings.TrimSpace(fmt.Sprintf(format, a...)), Hint: hint, Err: ErrInvalid}
}

// mismatch names both sums.
func mismatch(path, want, got, hint string) *Error {
	return &Error{Path: path, Problem: fmt.Sprintf("sha256 is %s, expected %s", got, want), Hint: hint, Err: ErrMismatch}
}
