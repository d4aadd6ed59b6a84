package stats

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
)

// Class holds the central moments of a labelled set. Parts of a set merge exactly and in any order.
type Class struct {
	// C classes, D features.
	C, D int
	// Count [C]: rows of each class.
	Count []int64
	// Mean [C,D]: class means, zero for a class without rows.
	Mean []float64
	// Deviation [C]: sum over the rows of a class of ||h - mu_c||^2.
	Deviation []float64
	// Scatter [D,D], symmetric and full: sum over all rows of (h - mu_c)(h - mu_c)^T.
	Scatter []float64
}

// Class corrects the sums to central moments: sum (h-mu)(h-mu)^T = sum (h-s)(h-s)^T - n (mu-s)(mu-s)^T, class by class. Where no row was summed or one was not
// finite the moments are zero or meaningless; the tally tells.
func (s *Sums) Class() *Class {
	c := &Class{C: s.C, D: s.D, Count: slices.Clone(s.Count), Mean: slices.Clone(s.Shift),
		Deviation: slices.Clone(s.Square), Scatter: slices.Clone(s.Second)}
	d := s.D
	deltas := make([]float64, s.C*d) // times sqrt(n)
	for k, n := range c.Count {
		if n == 0 {
			clear(c.mean(k))
			continue
		}
		delta := deltas[k*d : (k+1)*d]
		floats.AddScaled(delta, 1/float64(n), s.Sum[k*d:(k+1)*d])
		floats.Add(c.mean(k), delta)
		c.Deviation[k] = max(0, c.Deviation[k]-float64(n)*floats.Dot(delta, delta))
		floats.Scale(math.Sqrt(float64(n)), delta)
	}
	addGram(c.Scatter, -1, deltas, s.C, d)
	mirror(c.Scatter, d)
	return c
}

// Merge gives the moments of the union of two parts, by Chan's formula class by class: the scatter gains n_a n_b / (n_a + n_b) (mu_a - mu_b)(mu_a - mu_b)^T.
func Merge(a, b *Class) *Class {
	d := a.D
	m := &Class{C: a.C, D: d, Count: make([]int64, a.C), Mean: make([]float64, a.C*d), Deviation: make([]float64, a.C), Scatter: make([]float64, d*d)}
	floats.AddTo(m.Scatter, a.Scatter, b.Scatter)
	deltas := make([]float64, a.C*d) // times the root of their weight
	for k := range m.Count {
		na, nb := float64(a.Count[k]), float64(b.Count[k])
		m.Count[k] = a.Count[k] + b.Count[k]
		m.Deviation[k] = a.Deviation[k] + b.Deviation[k]
		switch {
		case na == 0:
			copy(m.mean(k), b.mean(k))
		case nb == 0:
			copy(m.mean(k), a.mean(k))
		default:
			delta := deltas[k*d : (k+1)*d]
			floats.SubTo(delta, b.mean(k), a.mean(k))
			floats.AddScaledTo(m.mean(k), a.mean(k), nb/(na+nb), delta)
			w := na * nb / (na + nb)
			m.Deviation[k] += w * floats.Dot(delta, delta)
			floats.Scale(math.Sqrt(w), delta)
		}
	}
	addGram(m.Scatter, 1, deltas, a.C, d)
	mirror(m.Scatter, d)
	return m
}

// N is the number of rows.
func (c *Class) N() int64 {
	var n int64
	for _, k := range c.Count {
		n += k
	}
	return n
}

// Smallest is the count of the smallest class, and which class that is.
func (c *Class) Smallest() (count int64, class int) {
	count = math.MaxInt64
	for k, n := range c.Count {
		if n < count {
			count, class = n, k
		}
	}
	return count, class
}

// MeanOfMeans is the mean of the class means [D], every class with the same weight.
func (c *Class) MeanOfMeans() []float64 {
	mu := make([]float64, c.D)
	for k := range c.Count {
		floats.AddScaled(mu, 1/float64(c.C), c.mean(k))
	}
	return mu
}

// MeanOfRows is the mean of all rows [D]: the class means weighted by their counts.
func (c *Class) MeanOfRows() []float64 {
	mu, n := make([]float64, c.D), float64(c.N())
	for k, nk := range c.Count {
		floats.AddScaled(mu, float64(nk)/n, c.mean(k))
	}
	return mu
}

// Centred gives the class means minus mu [C,D].
func (c *Class) Centred(mu []float64) []float64 {
	m := slices.Clone(c.Mean)
	for k := range c.Count {
		floats.Sub(m[k*c.D:(k+1)*c.D], mu)
	}
	return m
}

// Within is S_W = 1/N sum_i (h_i - mu_c(i))(.)^T, [D,D].
func (c *Class) Within() []float64 {
	s := make([]float64, len(c.Scatter))
	floats.AddScaled(s, 1/float64(c.N()), c.Scatter)
	return s
}

// Total is S_T = 1/N sum_i (h_i - mu)(.)^T, [D,D], about the mean of all rows.
func (c *Class) Total() []float64 {
	s := c.Within()
	m, n := c.Centred(c.MeanOfRows()), float64(c.N())
	for k, nk := range c.Count {
		floats.Scale(math.Sqrt(float64(nk)/n), m[k*c.D:(k+1)*c.D])
	}
	addGram(s, 1, m, c.C, c.D)
	mirror(s, c.D)
	return s
}

// Variances is the variance of each unit over all rows [D]: the diagonal of Total.
func (c *Class) Variances() []float64 {
	v, mu, n := make([]float64, c.D), c.MeanOfRows(), float64(c.N())
	for j := range v {
		v[j] = c.Scatter[j*c.D+j] / n
	}
	for k, nk := range c.Count {
		for j, x := range c.mean(k) {
			v[j] += float64(nk) / n * (x - mu[j]) * (x - mu[j])
		}
	}
	return v
}

// Trace of a [d,d] matrix.
func Trace(s []float64, d int) float64 {
	var t float64
	for i := range d {
		t += s[i*d+i]
	}
	return t
}

func (c *Class) mean(k int) []float64 { return c.Mean[k*c.D : (k+1)*c.D] }

// addGram adds alpha X^T X of the rows x [n,d] to the upper triangle of a.
func addGram(a []float64, alpha float64, x []float64, n, d int) {
	blas64.Syrk(blas.Trans, alpha, blas64.General{Rows: n, Cols: d, Stride: d, Data: x}, 1, blas64.Symmetric{N: d, Stride: d, Data: a, Uplo: blas.Upper})
}

// mirror copies the upper triangle to the lower.
func mirror(a []float64, d int) {
	for i := range d {
		for j := i + 1; j < d; j++ {
			a[j*d+i] = a[i*d+j]
		}
	}
}
