package stats

import "gonum.org/v1/gonum/floats"

// Finite reports whether none of x is NaN or infinite.
func Finite(x []float64) bool { return finiteBySquares(floats.Dot(x, x), x) }

// finiteBySquares is Finite where the sum of the squares of x, or of its distances from something finite, is known: mostly that tells already.
func finiteBySquares(squares float64, x []float64) bool {
	if squares-squares == 0 {
		return true
	}
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}
