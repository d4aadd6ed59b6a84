package stats

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/floats"

	"nctrain/internal/scratch"
	"nctrain/internal/vector"
)

// Nearest finds the nearest of C centres in D dimensions.
//
// With y = x - origin and m = c - origin, ||x - c||^2 = ||y||^2 - 2 y.m + ||m||^2. One matrix product in float32, which takes half the time of one in float64, finds the
// candidates: every centre that the rounding of that form cannot tell from the nearest, mostly one. Among them sum (x - c)^2 itself decides, in float64, so that what is
// found does not depend on the shortcut.
type Nearest struct {
	c, d    int
	centres []float64 // [C,D], as given
	origin  []float64 // mean of the centres [D]
	narrow  []float32 // centres less origin [C,D]
	squares []float64 // their squared norms [C], before narrowing
	longest float64   // largest of their norms
	offset  float64   // norm of origin
}

// NewNearest prepares the search among centres [c,d].
func NewNearest(centres []float64, c, d int) *Nearest {
	s := &Nearest{c: c, d: d, centres: centres, origin: make([]float64, d), narrow: make([]float32, c*d), squares: make([]float64, c)}
	for k := range c {
		floats.AddScaled(s.origin, 1/float64(c), centres[k*d:(k+1)*d])
	}
	norms := make([]float64, c)
	vector.LessNarrow(s.narrow, norms, centres, s.origin)
	for k, norm := range norms {
		s.squares[k] = norm * norm
		s.longest = math.Max(s.longest, norm)
	}
	s.offset = floats.Norm(s.origin, 2)
	return s
}

// Find gives for each of n rows x [n,D] the index of the nearest centre, the first of equals, and its squared distance. It is safe for concurrent use.
func (s *Nearest) Find(x []float64, n int) (index []int64, squared []float64) {
	index, squared = make([]int64, n), make([]float64, n)
	s.search(x, n, index, squared)
	return index, squared
}

// Index is Find without the distances.
func (s *Nearest) Index(x []float64, n int) []int64 {
	index := make([]int64, n)
	s.search(x, n, index, nil)
	return index
}

// search fills index, and squared unless it is nil.
func (s *Nearest) search(x []float64, n int, index []int64, squared []float64) {
	c, d := s.c, s.d
	rows, dots, lengths, slack, apart := scratch.Take32(n*d), scratch.Take32(n*c), scratch.Take(n), scratch.Take(n), scratch.Take(max(c, d))
	defer func() {
		scratch.Give32(rows)
		scratch.Give32(dots)
		scratch.Give(lengths)
		scratch.Give(slack)
		scratch.Give(apart)
	}()
	vector.LessNarrow(rows, lengths, x, s.origin)
	blas32.Gemm(blas.NoTrans, blas.Trans, 1, blas32.General{Rows: n, Cols: d, Stride: d, Data: rows},
		blas32.General{Rows: c, Cols: d, Stride: d, Data: s.narrow}, 0, blas32.General{Rows: n, Cols: c, Stride: c, Data: dots})
	for i, length := range lengths {
		slack[i] = s.slack(length)
	}
	vector.OnlyNear(index, dots, s.squares, slack)
	var candidates []int
	for i, k := range index {
		if k >= 0 {
			continue
		}
		candidates = s.candidates(candidates[:0], dots[i*c:(i+1)*c], slack[i], apart[:c])
		best := math.Inf(1)
		index[i] = 0 // of a row that has no distances
		for _, k := range candidates {
			floats.SubTo(apart[:d], x[i*d:(i+1)*d], s.centres[k*d:(k+1)*d])
			if exact := floats.Dot(apart[:d], apart[:d]); exact < best {
				best, index[i] = exact, int64(k)
			}
		}
	}
	if squared != nil {
		vector.LessOwn(nil, squared, x[:n*d], s.centres, index)
	}
}

// candidates appends the centres that may be nearest to a row of which the products y.m [C] are known, in ascending order. distance [C] is scratch memory, for
// ||x - c||^2 - ||y||^2.
func (s *Nearest) candidates(to []int, dots []float32, slack float64, distance []float64) []int {
	least := math.Inf(1)
	for k, dot := range dots {
		distance[k] = s.squares[k] - 2*float64(dot)
		if distance[k] < least {
			least = distance[k]
		}
	}
	limit := least + slack
	for k, x := range distance {
		if !(x > limit) { // also where a limit is not a number
			to = append(to, k)
		}
	}
	return to
}

// slack bounds how far apart the forms of two centres can be whose distances from a row of this length are equal, or in the wrong order by rounding.
func (s *Nearest) slack(length float64) float64 {
	const (
		unit32, unit64   = 0x1p-24, 0x1p-53
		least32, large32 = 0x1p-126, 0x1p126 // what float32 holds without loss, and without overflow
	)
	n := float64(s.d + 4)
	if !(math.Max(length, 1)*math.Max(s.longest, 1) < large32) {
		return math.Inf(1) // the products tell nothing: every centre is a candidate
	}
	// A sum of d products of numbers rounded first errs by (d+2) unit times sum |y||m| <= ||y|| ||m||, and by what underflows in each of them (N. Higham 2002, 3.1).
	product := n * (unit32*length*s.longest + least32*(1+length+s.longest))
	// What float64 leaves of x - origin, of ||m||^2, and of the sum that decides.
	whole := length + s.longest + 2*s.offset
	return 2 * (2*2*product + 2*2*n*unit64*whole*whole) // two centres err, and 2 for the terms of second order
}
