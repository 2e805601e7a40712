// Package pack is a data set as one file: every example's pixels at the training size, its class, attributes and group, where
// it came from, and what was left out and why. The file is copied to the workstation as it is, and two can be merged.
//
// It is an SQLite database (github.com/ncruces/go-sqlite3, pure Go): an import that is killed resumes at the last commit, a
// set larger than memory is read example by example, and other tools can look into it. Each example's pixels carry a CRC-32C
// that every read checks; the set's identity is a SHA-256 over all examples that does not depend on their order in the file.
//
// Where pictures come from and how they are cut is in train/dataset/importer; this package stores what it is given.
package pack
