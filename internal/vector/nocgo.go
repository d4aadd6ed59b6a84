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

func less(to, squares, x []float64, pitch int, origins []float64, of []int64, n, d int) {
	for i := range n {
		origin := origins
		if of != nil {
			origin = origins[int(of[i])*d:]
		}
		var square float64
		for j, y := range origin[:d] {
			a := x[i*pitch+j] - y
			if to != nil {
				to[i*d+j] = a
			}
			square += a * a
		}
		if squares != nil {
			squares[i] = square
		}
	}
}

func onlyNear(only []int64, dots []float32, squares, slack []float64) {
	for i := range only {
		row := dots[i*len(squares):]
		least := math.Inf(1)
		for k, square := range squares {
			if x := square - 2*float64(row[k]); x < least {
				least = x
			}
		}
		only[i] = -1
		near := 0
		for k, square := range squares {
			if !(square-2*float64(row[k]) > least+slack[i]) {
				near++
				only[i] = int64(k)
			}
		}
		if near != 1 {
			only[i] = -1
		}
	}
}
