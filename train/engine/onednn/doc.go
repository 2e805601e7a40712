// Package onednn runs programs on the CPU with oneDNN.
package onednn
