package linear

// Affine is the model as one layer on features as they are: logits = w·x + b, with w [K D] row by row and b [K]. The
// standardisation is folded in.
func (m *Model) Affine() (w, b []float32) {
	k, d := m.w.Dims()
	w, b = make([]float32, k*d), make([]float32, k)
	for i := range k {
		shift := m.b[i]
		for j, v := range m.w.RawRowView(i) {
			w[i*d+j] = float32(v * m.scale[j])
			shift -= v * m.scale[j] * m.mean[j]
		}
		b[i] = float32(shift)
	}
	return w, b
}
