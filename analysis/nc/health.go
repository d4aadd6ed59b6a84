package nc

import (
	"fmt"
	"slices"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// healthTable: what a reader needs to trust a row.
var healthTable = variants{
	{"rank", "directions of S_B used for nc1.rank, at most min(C-1, D)"},
	{"lambda_ratio", "lambda_r / lambda_1 of S_B"},
	{"within_rank", "eigenvalues of S_W above within_floor"},
	{"within_condition", "lambda_1 of S_W over the smallest eigenvalue above within_floor"},
	{"within_floor", "max(D eps64 lambda_1, quantum of the stored type)"},
	{"rows_less_classes", "N - C, to be read against d: S_W cannot have a higher rank"},
	{"d", "features D"},
	{"smallest_class", "rows of the smallest class"},
	{"largest_class", "rows of the largest class"},
	{"zero_units", "units that are zero in every row"},
	{"nan_count", "rows that hold NaN or Inf"},
	{"head_mismatch", "worst ||logits - (W h + b)||; a head of another checkpoint shows here"},
}

// imbalance is the ratio of class counts beyond which a warning names the classes.
const imbalance = 2

// present leaves out the counts of classes without rows.
func present(count []int64) []int64 {
	return slices.DeleteFunc(slices.Clone(count), func(n int64) bool { return n == 0 })
}

// health tells how many directions carry a row, how well S_W is determined, and whether the head belongs to the features: see healthTable.
func (m *measure) health(tally *stats.Tally) (v analysis.Values, err error) {
	c, d, n := m.class.C, m.class.D, m.class.N()
	v.N = int(n)
	if m.undefined == "" && m.specMeans.Values[0] > 0 {
		v.Set("rank", float64(m.rank))
		v.Set("lambda_ratio", m.specMeans.Values[m.r-1]/m.specMeans.Values[0])
	} else {
		reason := m.undefined
		if reason == "" {
			reason = noBetween
		}
		v.Null("rank", reason)
		v.Null("lambda_ratio", reason)
	}
	spectrum, err := stats.SymEigen(m.within, d, false)
	if err != nil {
		return v, fmt.Errorf("spectrum of S_W: %w", err)
	}
	floor := m.class.WithinFloor(spectrum.Values[0], m.eps)
	k := spectrum.Above(floor)
	v.Set("within_rank", float64(k))
	if k > 0 {
		v.Set("within_condition", spectrum.Values[0]/spectrum.Values[k-1])
	} else {
		v.Null("within_condition", "no eigenvalue of S_W is above its floor")
	}
	v.Set("within_floor", floor)
	v.Set("rows_less_classes", float64(n)-float64(c))
	v.Set("d", float64(d))
	if n-int64(c) < int64(d) {
		v.Warn("N - C = %d is less than D = %d: S_W cannot have full rank", n-int64(c), d)
	}
	count := m.class.Count
	smallest, largest := slices.Min(count), slices.Max(count)
	v.Set("smallest_class", float64(smallest))
	v.Set("largest_class", float64(largest))
	if text := emptyClasses(count); text != "" {
		v.Warn("%s: what needs every class mean is undefined", text)
	}
	if single := withRows(count, 1, 1); len(single) > 0 {
		v.Warn("one row alone in class %s: no variance is measured there", listed(single))
	}
	if few := slices.Min(present(count)); largest > imbalance*few {
		v.Warn("imbalanced: %d rows in class %s, %d in class %s: mu_G is the mean of class means in nc1 and the mean of all rows elsewhere, and here they differ", few,
			listed(withRows(count, few, few)), largest, listed(withRows(count, largest, largest)))
	}
	zero := 0
	for _, x := range tally.MaxAbs {
		if x == 0 {
			zero++
		}
	}
	v.Set("zero_units", float64(zero))
	v.Set("nan_count", float64(tally.NonFinite))
	v.Set("head_mismatch", tally.Mismatch.Worst)
	return v, nil
}
