package nc

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
)

// variants of nc3, the distance of the classifier from the class means.
var nc3Table = variants{
	{"papyan", "|| W/||W||_F - M/||M||_F ||_F^2"},
	{"row_l2", "mean over classes of || w_c/||w_c|| - m_c/||m_c|| ||, the notebook's"},
	{"mean_cos", "mean over classes of cos(w_c, m_c); 1 is collapse"},
	{"duality_etf", "|| W M^T/||W M^T||_F - ETF ||_F"},
	{"bias_collapse", "|| W mu_G + b ||"},
}

var nc3Attainable = variants{{"duality_etf_min", "the least possible duality_etf in D < C-1 dimensions, by the argument of etf_error_min"}}

// nc3 needs class means but for bias_collapse and duality_etf_min, which an empty class or a single one leaves defined.
func (m *measure) nc3() (v analysis.Values) {
	c, d := m.class.C, m.class.D
	v.N = c
	w, means := m.head.Weight, m.aboutRows
	normW, normM := floats.Norm(w, 2), floats.Norm(means, 2)
	reason := m.undefined
	if reason == "" && (normW == 0 || normM == 0) {
		reason = "W or all class means less mu_G are zero"
	}
	if reason != "" {
		nc3Table[:4].undefined(&v, reason)
	} else {
		var papyan float64
		for i := range w {
			e := w[i]/normW - means[i]/normM
			papyan += e * e
		}
		v.Set("papyan", papyan)
		m.rowAlignment(&v)
		if g := gram(w, means, c, d); floats.Norm(g, 2) > 0 {
			v.Set("duality_etf", etfError(g, c))
		} else {
			v.Null("duality_etf", "W M^T is zero")
		}
	}
	if m.class.N() == 0 {
		v.Null("bias_collapse", m.undefined)
	} else {
		logits := make([]float64, c)
		copy(logits, m.head.Bias)
		blas64.Gemv(blas.NoTrans, 1, blas64.General{Rows: c, Cols: d, Stride: d, Data: w}, blas64.Vector{N: d, Inc: 1, Data: m.muRows}, 1,
			blas64.Vector{N: c, Inc: 1, Data: logits})
		v.Set("bias_collapse", floats.Norm(logits, 2))
	}
	if c-1 > d {
		v.Set("duality_etf_min", etfErrorMin(c, d))
	}
	return v
}

// rowAlignment sets row_l2 and mean_cos. The distance of the unit rows is summed by component: sqrt(2 - 2 cos) would lose small angles.
func (m *measure) rowAlignment(v *analysis.Values) {
	c, d := m.class.C, m.class.D
	unitW, okW := unitRows(m.head.Weight, c, d)
	unitM, okM := unitRows(m.aboutRows, c, d)
	if !okW || !okM {
		v.Null("row_l2", "a row of W or a class mean less mu_G is zero and has no direction")
		v.Null("mean_cos", v.Reason("row_l2"))
		return
	}
	var distance, cosine float64
	for k := range c {
		a, b := unitW[k*d:(k+1)*d], unitM[k*d:(k+1)*d]
		distance += floats.Distance(a, b, 2)
		cosine += floats.Dot(a, b)
	}
	v.Set("row_l2", distance/float64(c))
	v.Set("mean_cos", math.Min(1, cosine/float64(c)))
}
