package nc

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// variants of nc5, how far the mean of an OOD set is from being orthogonal to the class means.
var nc5Table = variants{
	{"raw", "mean over classes of |cos(mu_c, mu_OOD)|, the paper's"},
	{"centred", "the same with mu_G subtracted from both, the notebook's"},
	{"etf_energy", "share of ||mu_OOD - mu_G||^2 that lies in the span of the centred class means"},
	{"upper_bound", "sqrt(lambda_max(1/C sum_c m_c m_c^T)) of the unit centred means: no direction has a larger centred (1/sqrt(C-1) for a simplex ETF)"},
	{"chance", "sqrt(2/(pi D)), the mean |cos| of a random direction"},
	{"etf_energy_chance", "min(C-1, D)/D, the share of a random direction"},
}

// nc5 measures one OOD set. unusable is the reason where rows of the set hold NaN or Inf.
func (m *measure) nc5(ctx context.Context, set analysis.Named, threads int) (v analysis.Values, unusable string, err error) {
	info := set.Source.Info()
	mean, bad, warning, err := rowMean(ctx, set.Source, m.head, threads)
	if err != nil {
		return v, "", err
	}
	v.N = info.N
	if warning != "" {
		v.Warn("%s", warning)
	}
	if bad.NonFinite > 0 {
		unusable = holes(bad, info)
	}
	c, d := m.class.C, m.class.D
	if reason := cmp.Or(unusable, m.undefined); reason != "" {
		nc5Table.undefined(&v, reason)
		if unusable == "" {
			m.chances(&v) // which need no means
		}
		return v, unusable, nil
	}
	setMeanCosine(&v, "raw", m.class.Mean, mean, c, d)
	centred := make([]float64, d)
	floats.SubTo(centred, mean, m.muRows)
	setMeanCosine(&v, "centred", m.aboutRows, centred, c, d)
	if whole := floats.Dot(centred, centred); whole > 0 {
		v.Set("etf_energy", math.Min(1, m.energyInSpan(centred)/whole))
	} else {
		v.Null("etf_energy", "the OOD mean is mu_G: it has no direction from there")
	}
	if m.cosines != nil {
		bound, err := m.upperBound()
		if err != nil {
			return v, "", fmt.Errorf("analysis: nc5 of %s: %w", info.Name, err)
		}
		v.Set("upper_bound", bound)
	} else {
		v.Null("upper_bound", "a class mean is mu_G and has no direction")
	}
	m.chances(&v)
	return v, "", nil
}

// chances sets what a random direction has; of one class no span is left to have a share of.
func (m *measure) chances(v *analysis.Values) {
	d := float64(m.class.D)
	v.Set("chance", math.Sqrt(2/(math.Pi*d)))
	if m.r > 0 {
		v.Set("etf_energy_chance", float64(m.r)/d)
	}
}

// upperBound is the largest nc5 that a direction can have, by the cosines [C,C] between the class means.
func upperBound(cosines []float64, c int) (float64, error) {
	// 1/C M M^T of the unit means has the nonzero eigenvalues of 1/C M^T M.
	spectrum, err := stats.SymEigen(cosines, c, false)
	if err != nil {
		return 0, err
	}
	return math.Sqrt(spectrum.Values[0] / float64(c)), nil
}

// setMeanCosine sets the mean over rows m_c of means [c,d] of |cos(m_c, x)|.
func setMeanCosine(v *analysis.Values, key string, means, x []float64, c, d int) {
	norm := floats.Norm(x, 2)
	unit, ok := unitRows(means, c, d)
	if !ok || norm == 0 {
		v.Null(key, "a mean is zero and has no direction")
		return
	}
	var sum float64
	for k := range c {
		sum += math.Abs(floats.Dot(unit[k*d:(k+1)*d], x)) / norm
	}
	v.Set(key, sum/float64(c))
}

// energyInSpan is the squared norm of the projection of x on the directions of the centred class means.
func (m *measure) energyInSpan(x []float64) float64 {
	k := m.directions(m.specRows)
	along := make([]float64, k)
	for i := range m.class.D {
		floats.AddScaled(along, x[i], m.specRows.Vectors.RawRowView(i)[:k])
	}
	return floats.Dot(along, along)
}

// rowMean is the mean of all rows of a set [D] but those of bad, whose features hold NaN or Inf. The mean logits, where the set has them, are held against the head:
// they are W times the mean plus b.
func rowMean(ctx context.Context, src analysis.Source, head *analysis.Head, threads int) (mean []float64, bad stats.Holes, warning string, err error) {
	info := src.Info()
	type averages struct {
		features, logits average
		bad              stats.Holes
	}
	var all averages
	err = analysis.Stages[averages]{
		Work: func(b *analysis.Block) (part averages, err error) {
			for i := range b.N {
				h := b.Features[i*info.D : (i+1)*info.D]
				if !stats.Finite(h) {
					part.bad.Add(b.Start+i, "features")
					continue
				}
				part.features.add(h)
				if info.HasLogits() {
					part.logits.add(b.Logits[i*info.C : (i+1)*info.C])
				}
			}
			return part, nil
		},
		Then: func(_ *analysis.Block, part averages) error {
			all.features.merge(part.features)
			all.logits.merge(part.logits)
			all.bad.Merge(part.bad)
			return nil
		},
	}.Sweep(ctx, src, analysis.WorkRows, threads)
	mean, bad = all.features.mean(), all.bad
	if err != nil || bad.NonFinite > 0 || !info.HasLogits() {
		return mean, bad, "", err
	}
	mismatch := analysis.NewHeadCheck(head).Mismatch(mean, all.logits.mean(), 1, 0)
	warning, err = mismatch.Judge(head, analysis.Info{Name: info.Name + ", mean of all rows", Meta: info.Meta})
	return mean, bad, warning, err
}

// average sums rows less the first of them, so that a common offset costs no digits.
type average struct {
	n          int
	first, sum []float64
}

func (a *average) add(row []float64) {
	if a.n++; a.n == 1 {
		a.first, a.sum = slices.Clone(row), make([]float64, len(row))
		return
	}
	floats.Add(a.sum, row)
	floats.Sub(a.sum, a.first)
}

func (a *average) merge(b average) {
	switch {
	case b.n == 0:
	case a.n == 0:
		*a = b
	default:
		floats.Add(a.sum, b.sum)
		floats.AddScaled(a.sum, float64(b.n), b.first)
		floats.AddScaled(a.sum, -float64(b.n), a.first)
		a.n += b.n
	}
}

// mean is nil where there are no rows.
func (a *average) mean() []float64 {
	if a.n == 0 {
		return nil
	}
	mean := slices.Clone(a.first)
	floats.AddScaled(mean, 1/float64(a.n), a.sum)
	return mean
}
