package nc

import (
	"slices"

	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// variants of nc1, within-class variability against that between classes.
var nc1Table = variants{
	{"rank", "trace(S_W pinv(S_B))/C, the pseudo-inverse from the r largest eigenvalues of S_B"},
	{"notebook", "the same with mu_G the mean of all rows and the eigenvalues above D eps32 lambda_1 (torch.linalg.pinv(hermitian=True) in float32)"},
	{"papyan_code", "rank without the division by C, as the authors' code"},
	{"quotient", "tr S_W / tr S_B"},
	{"cdnv", "class-distance normalised variance: mean over c != c' of (var_c + var_c') / (2 ||mu_c - mu_c'||^2), var_c the mean of ||h - mu_c||^2"},
}

// noWithin is why a zero S_W is no collapse: it was not measured.
const noWithin = "no class has two rows: S_W is zero whatever the network does"

// noBetween is why nothing can be held against S_B.
const noBetween = "all class means are equal: S_B is zero"

func (m *measure) nc1() (v analysis.Values) {
	v.N = int(m.class.N())
	if m.undefined != "" {
		nc1Table.undefined(&v, m.undefined)
		return v
	}
	c, d := float64(m.class.C), float64(m.class.D)
	if m.specMeans.Values[0] == 0 {
		nc1Table.undefined(&v, noBetween)
		return v
	}
	if slices.Max(m.class.Count) < 2 {
		nc1Table.undefined(&v, noWithin)
		return v
	}
	trace := m.traceRatio(m.specMeans, m.rank)
	v.Set("rank", trace/c)
	const eps32 = 0x1p-23 // of float32, whatever the type of the features: nothing is cut off below it
	v.Set("notebook", m.traceRatio(m.specRows, m.specRows.Above(d*eps32*m.specRows.Values[0]))/c)
	v.Set("papyan_code", trace)
	v.Set("quotient", stats.Trace(m.within, m.class.D)/floats.Sum(m.specMeans.Values))
	if cdnv, ok := m.cdnv(); ok {
		v.Set("cdnv", cdnv)
	} else {
		v.Null("cdnv", "two classes have the same mean")
	}
	switch smallest := m.specMeans.Values[m.r-1]; {
	case m.rank < m.r:
		v.Warn("S_B has rank %d, less than min(C-1, D) = %d: rank uses the %d directions that are there", m.rank, m.r, m.rank)
	case smallest < d*eps32*m.specMeans.Values[0]:
		v.Warn("eigenvalue %d of S_B is %.2g of the first, under D eps32 = %.2g: one such direction can carry the whole of rank", m.r,
			smallest/m.specMeans.Values[0], d*eps32)
	}
	return v
}

// traceRatio is sum_k v_k^T S_W v_k / lambda_k over the first k directions: trace(S_W pinv(S_B)).
func (m *measure) traceRatio(e *stats.Eigen, k int) float64 {
	var sum float64
	for j, x := range m.along(e, k) {
		sum += x / e.Values[j]
	}
	return sum
}

func (m *measure) cdnv() (float64, bool) {
	c, d := m.class.C, m.class.D
	variance := make([]float64, c)
	for k := range variance {
		variance[k] = m.class.Deviation[k] / float64(m.class.Count[k])
	}
	var sum float64
	for i := range c {
		for j := range i {
			distance := floats.Distance(m.class.Mean[i*d:(i+1)*d], m.class.Mean[j*d:(j+1)*d], 2)
			if distance == 0 {
				return 0, false
			}
			sum += (variance[i] + variance[j]) / (2 * distance * distance)
		}
	}
	return sum * 2 / float64(c*(c-1)), true
}
