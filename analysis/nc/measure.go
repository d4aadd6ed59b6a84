package nc

import (
	"errors"
	"math"
	"slices"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// measure holds what the metrics share.
type measure struct {
	class   *stats.Class
	head    *analysis.Head
	eps     float64 // of the type in which features are stored
	threads int
	// undefined is why no metric of the class means exists; empty where they do.
	undefined string

	r      int       // min(C-1, D)
	within []float64 // S_W [D,D]
	muRows []float64 // mean of all rows [D]
	// aboutMeans is M with mu_G the mean of class means, aboutRows with mu_G the mean of all rows, [C,D] each, with the spectra of S_B = 1/C M^T M.
	aboutMeans, aboutRows []float64
	specMeans, specRows   *stats.Eigen
	rank                  int                     // directions of S_B used, at most r
	cosines               []float64               // [C,C] between rows of aboutRows; nil where one of them has no direction
	upperBound            func() (float64, error) // nc5's of every OOD set, by the cosines
}

func (m *measure) prepare() error {
	c, d := m.class.C, m.class.D
	m.r = min(c-1, d)
	if m.undefined = emptyClasses(m.class.Count); c == 1 {
		m.undefined = "there is one class only"
	}
	m.within = m.class.Within()
	m.muRows = m.class.MeanOfRows()
	if m.undefined != "" {
		return nil
	}
	m.aboutMeans = m.class.Centred(m.class.MeanOfMeans())
	m.aboutRows = m.class.Centred(m.muRows)
	var failed [2]error
	stats.Parallel(2, m.threads, func(i int) {
		if i == 0 {
			m.specMeans, failed[i] = stats.GramEigen(m.aboutMeans, c, d)
		} else {
			m.specRows, failed[i] = stats.GramEigen(m.aboutRows, c, d)
		}
	})
	if err := errors.Join(failed[:]...); err != nil {
		return err
	}
	m.rank = m.directions(m.specMeans)
	if unit, ok := unitRows(m.aboutRows, c, d); ok {
		m.cosines = gram(unit, unit, c, d)
		m.upperBound = sync.OnceValues(func() (float64, error) { return upperBound(m.cosines, c) })
	}
	return nil
}

// directions is the number of eigenvectors of S_B that are used, at most r. One whose singular value is rounding of the largest (units that are always zero can leave S_B
// with less than rank r) has no inverse.
func (m *measure) directions(spectrum *stats.Eigen) int {
	rounding := float64(max(m.class.C, m.class.D)) * 0x1p-52
	return min(m.r, spectrum.Above(rounding*rounding*spectrum.Values[0]))
}

// along gives v_k^T S_W v_k for the first k eigenvectors of a spectrum.
func (m *measure) along(e *stats.Eigen, k int) []float64 {
	d := m.class.D
	if k == 0 {
		return nil
	}
	v := e.Vectors.RawMatrix()
	v.Cols = k
	product := blas64.General{Rows: d, Cols: k, Stride: k, Data: make([]float64, d*k)}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, blas64.General{Rows: d, Cols: d, Stride: d, Data: m.within}, v, 0, product)
	out := make([]float64, k)
	for i := range d {
		for j := range k {
			out[j] += v.Data[i*v.Stride+j] * product.Data[i*k+j]
		}
	}
	return out
}

// unitRows scales the rows of x [c,d] to norm 1; false where a row is zero.
func unitRows(x []float64, c, d int) ([]float64, bool) {
	u := slices.Clone(x)
	for k := range c {
		row := u[k*d : (k+1)*d]
		norm := floats.Norm(row, 2)
		if norm == 0 {
			return nil, false
		}
		floats.Scale(1/norm, row)
	}
	return u, true
}

// gram gives A B^T [c,c] of rows a, b [c,d].
func gram(a, b []float64, c, d int) []float64 {
	g := make([]float64, c*c)
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, blas64.General{Rows: c, Cols: d, Stride: d, Data: a},
		blas64.General{Rows: c, Cols: d, Stride: d, Data: b}, 0, blas64.General{Rows: c, Cols: c, Stride: c, Data: g})
	return g
}

// etfError is || G/||G||_F - (I - 11^T/C)/sqrt(C-1) ||_F for g [c,c]; NaN for a zero matrix.
func etfError(g []float64, c int) float64 {
	norm := floats.Norm(g, 2)
	scale := 1 / math.Sqrt(float64(c-1))
	var sum float64
	for i := range c {
		for j := range c {
			ideal := -scale / float64(c)
			if i == j {
				ideal += scale
			}
			e := g[i*c+j]/norm - ideal
			sum += e * e
		}
	}
	return math.Sqrt(sum)
}
