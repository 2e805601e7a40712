// Package checkpoint keeps named arrays and a few texts in one file that is there whole or not at all, and that tells when it
// was damaged. What the arrays and the texts mean is its callers' business.
//
// The format is safetensors (the length of a JSON header as a 64-bit little-endian number, the header with each array's type,
// shape and place, then the arrays' raw bytes): a standard that other tools read, with a header a person can read and nothing
// that is executed. The texts are its __metadata__. To this the package adds a checksum, as the text "sha256": the sum of the
// whole file with zeros in the place of the sum itself.
package checkpoint
