package nc

import (
	"math"

	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
)

// variants of nc2, the distance of the class means (and of the rows of W) from a simplex equiangular tight frame.
var nc2Table = variants{
	{"equinorm", "std/mean over classes of ||mu_c - mu_G||, population std as the notebook (the authors' code divides by C-1)"},
	{"equinorm_weights", "equinorm of the rows of W"},
	{"equiangularity", "mean over c != c' of |cos + 1/(C-1)|"},
	{"equiangularity_weights", "equiangularity of the rows of W"},
	{"etf_error", "|| G/||G||_F - ETF ||_F of the Gram matrix G = M M^T"},
	{"etf_error_weights", "etf_error of W W^T"},
}

// With C-1 > D no simplex ETF fits into D dimensions; these say what is attainable.
var nc2Attainable = variants{
	{"welch_cosine", "the least possible largest |cos| between C vectors in D < C-1 dimensions (L. Welch, IEEE Trans. Information Theory 20, 1974)"},
	{"etf_error_min", "the least possible etf_error in D < C-1 dimensions, that of a projector of rank D"},
}

func (m *measure) nc2() (v analysis.Values) {
	c, d := m.class.C, m.class.D
	v.N = c
	if c == 1 {
		nc2Table.undefined(&v, m.undefined)
		return v
	}
	means, weights := &frame{m.aboutRows, c, d, m.undefined}, &frame{m.head.Weight, c, d, ""}
	means.equinorm(&v, "equinorm")
	weights.equinorm(&v, "equinorm_weights")
	means.equiangularity(&v, "equiangularity")
	weights.equiangularity(&v, "equiangularity_weights")
	means.etfError(&v, "etf_error")
	weights.etfError(&v, "etf_error_weights")
	m.setAttainable(&v)
	return v
}

// meansAlone is nc2 without the variants of W.
func (m *measure) meansAlone() (v analysis.Values) {
	v.N = m.class.C
	means := &frame{m.aboutRows, m.class.C, m.class.D, m.undefined}
	means.equinorm(&v, "equinorm")
	means.equiangularity(&v, "equiangularity")
	means.etfError(&v, "etf_error")
	m.setAttainable(&v)
	return v
}

func (m *measure) setAttainable(v *analysis.Values) {
	if c, d := m.class.C, m.class.D; c-1 > d {
		v.Set("welch_cosine", welchCosine(c, d))
		v.Set("etf_error_min", etfErrorMin(c, d))
	}
}

// welchCosine is sqrt((C-D)/(D(C-1))), the least possible maximum of |cos| between C unit vectors in D < C dimensions.
func welchCosine(c, d int) float64 {
	return math.Sqrt(float64(c-d) / (float64(d) * float64(c-1)))
}

// etfErrorMin is the least || G/||G||_F - ETF ||_F for G of rank D < C-1: <G, ETF> is at most sqrt(D/(C-1)), reached by a projector of rank D inside the ETF's span.
func etfErrorMin(c, d int) float64 {
	return math.Sqrt(2 - 2*math.Sqrt(float64(d)/float64(c-1)))
}

// frame is C vectors in D dimensions; undefined is why there are none.
type frame struct {
	rows      []float64
	c, d      int
	undefined string
}

func (f *frame) equinorm(v *analysis.Values, key string) {
	if f.undefined != "" {
		v.Null(key, f.undefined)
		return
	}
	norms := make([]float64, f.c)
	for k := range norms {
		norms[k] = floats.Norm(f.rows[k*f.d:(k+1)*f.d], 2)
	}
	mean := floats.Sum(norms) / float64(f.c)
	if mean == 0 {
		v.Null(key, "all vectors are zero")
		return
	}
	var square float64
	for _, x := range norms {
		square += (x - mean) * (x - mean)
	}
	v.Set(key, math.Sqrt(square/float64(f.c))/mean)
}

func (f *frame) equiangularity(v *analysis.Values, key string) {
	if f.undefined != "" {
		v.Null(key, f.undefined)
		return
	}
	unit, ok := unitRows(f.rows, f.c, f.d)
	if !ok {
		v.Null(key, "a vector is zero and has no direction")
		return
	}
	cosines := gram(unit, unit, f.c, f.d)
	ideal := -1 / float64(f.c-1)
	var sum float64
	for i := range f.c {
		for j := range f.c {
			if i != j {
				sum += math.Abs(cosines[i*f.c+j] - ideal)
			}
		}
	}
	v.Set(key, sum/float64(f.c*(f.c-1)))
}

func (f *frame) etfError(v *analysis.Values, key string) {
	if f.undefined != "" {
		v.Null(key, f.undefined)
		return
	}
	if floats.Norm(f.rows, 2) == 0 {
		v.Null(key, "all vectors are zero")
		return
	}
	v.Set(key, etfError(gram(f.rows, f.rows, f.c, f.d), f.c))
}
