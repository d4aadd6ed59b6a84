//go:build !cgo

package vector

import "math"

func widen(dst []float64, src []float32) {
	for i, x := range src {
		dst[i] = float64(x)
	}
}

func lessNarrow(dst []float32, lengths, x, origin []float64) {
	d := len(origin)
	for i := range lengths {
		var square float64
		for j, y := range origin {
			a := x[i*d+j] - y
			dst[i*d+j] = float32(a)
			square += a * a
		}
		lengths[i] = math.Sqrt(square)
	}
}

func largest(to, x []float64) {
	for i := 0; i < len(x); i += len(to) {
		for j := range to {
			// Of the magnitudes' bits, which are in the order of the magnitudes: without a branch.
			to[j] = math.Float64frombits(max(math.Float64bits(to[j]), math.Float64bits(x[i+j])&^(1<<63)))
		}
	}
}

func squares(to, x []float64) {
	d := len(x) / len(to)
	for i := range to {
		to[i] = 0
		for _, v := range x[i*d : (i+1)*d] {
			to[i] += v * v
		}
	}
}
