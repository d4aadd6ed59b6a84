//go:build !cgo

package convert

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
