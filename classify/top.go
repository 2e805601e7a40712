package classify

// Score is one class and its probability.
type Score struct {
	Class int     // index into Labels
	P     float32 // 0 to 1
}

// TopK writes the k best classes over dst, best first, the lower index first among equals, and returns it; fewer where
// there are fewer classes. It allocates nothing when dst has room for k.
func TopK(probs []float32, k int, dst []Score) []Score {
	dst = dst[:0]
	for i, p := range probs {
		at := len(dst)
		for at > 0 && dst[at-1].P < p {
			at--
		}
		if at >= k {
			continue
		}
		if len(dst) < k {
			dst = append(dst, Score{})
		}
		copy(dst[at+1:], dst[at:])
		dst[at] = Score{i, p}
	}
	return dst
}
