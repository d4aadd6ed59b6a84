package stats

import (
	"fmt"

	"gonum.org/v1/gonum/floats"
)

// Holes are the rows of a set that hold NaN or Inf in features or logits; the zero value is none.
type Holes struct {
	// NonFinite is the number of such rows.
	NonFinite int64
	// FirstNonFinite is the index of the first, FirstArray the array in which it is not finite: features or logits.
	FirstNonFinite int
	FirstArray     string
}

// HolesWayOut says what to do about them.
const HolesWayOut = "leave out the rows that the file has no numbers for, or take a checkpoint that has not diverged"

// Add counts a row that is not finite in an array, after the others.
func (h *Holes) Add(row int, array string) { h.Merge(Holes{1, row, array}) }

// Merge counts the rows of other after those of h.
func (h *Holes) Merge(other Holes) {
	if h.NonFinite == 0 {
		h.FirstNonFinite, h.FirstArray = other.FirstNonFinite, other.FirstArray
	}
	h.NonFinite += other.NonFinite
}

// Hole names the first array of a row that is not finite; empty where both are.
func Hole(features, logits []float64) string {
	switch {
	case !Finite(features):
		return "features"
	case !Finite(logits):
		return "logits"
	}
	return ""
}

// Among words them; rows are those they are among, as "900 rows".
func (h Holes) Among(rows string) string {
	return fmt.Sprintf("%d of %s hold NaN or Inf, the first is row %d (%s)", h.NonFinite, rows, h.FirstNonFinite, h.FirstArray)
}

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
