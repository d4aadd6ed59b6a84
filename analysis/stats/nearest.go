package stats

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"nctrain/internal/scratch"
)

// Nearest finds the nearest of C centres in D dimensions.
type Nearest struct {
	c, d    int
	centres []float64 // [C,D], as given
	origin  []float64 // mean of the centres [D]
	centred []float64 // centres less origin [C,D]
	squares []float64 // squared norms of centred [C]
	// constant [C] is what distances have beside the products: squares and twice the products of centred with the origin.
	constant     []float64
	originSquare float64
}

// NewNearest prepares the search among centres [c,d].
func NewNearest(centres []float64, c, d int) *Nearest {
	s := &Nearest{c: c, d: d, centres: centres, origin: make([]float64, d), centred: append([]float64(nil), centres...), squares: make([]float64, c), constant: make([]float64, c)}
	for k := range c {
		floats.AddScaled(s.origin, 1/float64(c), centres[k*d:(k+1)*d])
	}
	for k := range c {
		row := s.centred[k*d : (k+1)*d]
		floats.Sub(row, s.origin)
		s.squares[k] = floats.Dot(row, row)
		s.constant[k] = s.squares[k] + 2*floats.Dot(row, s.origin)
	}
	s.originSquare = floats.Dot(s.origin, s.origin)
	return s
}

// Find gives for each of n rows x [n,d] the index of the nearest centre, the first of equals, and its squared distance. It is safe for concurrent use.
func (s *Nearest) Find(x []float64, n int) (index []int, squared []float64) {
	index, squared = make([]int, n), make([]float64, n)
	s.search(x, n, index, squared)
	return index, squared
}

// Index is Find without the distances.
func (s *Nearest) Index(x []float64, n int) []int {
	index := make([]int, n)
	s.search(x, n, index, nil)
	return index
}

// search fills index, and squared unless it is nil.
//
// With y = x - origin and m = c - origin, ||x - c||^2 = ||y||^2 - 2 (x.m - origin.m) + ||m||^2 finds the candidates by one matrix product; those too close for the
// rounding of that form are decided by sum (x - c)^2 itself, which also is the distance given.
func (s *Nearest) search(x []float64, n int, index []int, squared []float64) {
	c, d := s.c, s.d
	dots, apart := scratch.Take(n*c), scratch.Take(d)
	defer scratch.Give(dots)
	defer scratch.Give(apart)
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, blas64.General{Rows: n, Cols: d, Stride: d, Data: x},
		blas64.General{Rows: c, Cols: d, Stride: d, Data: s.centred}, 0, blas64.General{Rows: n, Cols: c, Stride: c, Data: dots})
	var candidates []int
	for i := range n {
		xx := floats.Dot(x[i*d:(i+1)*d], x[i*d:(i+1)*d])
		distance := dots[i*c : (i+1)*c] // becomes ||x - c||^2 - ||y||^2
		least, atLeast := math.Inf(1), 0
		for k := range distance {
			distance[k] = s.constant[k] - 2*distance[k]
			if distance[k] < least {
				least, atLeast = distance[k], k
			}
		}
		candidates = candidates[:0]
		for k := range distance {
			// A sum of d products errs by at most d eps times its absolute sum, and |2 x.m| <= ||x||^2 + ||m||^2, so too with the origin; both candidates err.
			if slack := 2 * float64(d+2) * 0x1p-52 * (2*(xx+s.originSquare) + 3*(s.squares[k]+s.squares[atLeast])); distance[k]-least <= slack {
				candidates = append(candidates, k)
			}
		}
		if len(candidates) == 1 && squared == nil {
			index[i] = candidates[0]
			continue
		}
		best := math.Inf(1)
		for _, k := range candidates {
			floats.SubTo(apart, x[i*d:(i+1)*d], s.centres[k*d:(k+1)*d])
			if exact := floats.Dot(apart, apart); exact < best {
				best, index[i] = exact, k
			}
		}
		if squared != nil {
			squared[i] = best
		}
	}
}
