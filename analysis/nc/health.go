package nc

import (
	"fmt"
	"slices"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// Check is a number of Result.Health: its key, its name for people, and what it says.
type Check struct{ Key, Name, Meaning string }

// checks: what a reader needs to trust a row.
var checks = []Check{
	{"nan_count", "NaN rows", "rows of features that hold NaN or Inf"},
	{"smallest_class", "smallest class", "training rows of the smallest class; a variance needs two"},
	{"largest_class", "largest class", "training rows of the largest class; far more than of the smallest is imbalance"},
	{"rank", "rank of S_B", "directions between class means that NC1 uses, at most min(C−1, D)"},
	{"lambda_ratio", "λ_r/λ₁ of S_B", "the weakest direction used against the strongest: tiny means that one direction can carry NC1"},
	{"within_rank", "rank of S_W", "directions within classes above the floor, at most D"},
	{"within_condition", "condition of S_W", "its largest over its smallest eigenvalue above the floor"},
	{"within_floor", "floor of S_W", "eigenvalues below are rounding and are left out"},
	{"rows_less_classes", "N − C", "S_W has no higher rank than this"},
	{"d", "D", "units of the features"},
	{"zero_units", "dead units", "units that are zero in every training row"},
	{"head_mismatch", "head mismatch", "worst ‖logits − (W h + b)‖: large where head and features are of different checkpoints"},
}

// Checks lists the numbers of Result.Health, the first to look at first.
func Checks() []Check { return slices.Clone(checks) }

// explainedChecks are the parts of the explanation of health.
func explainedChecks() (all []analysis.Part) {
	for _, c := range checks {
		all = append(all, analysis.Part{Name: c.Key, Meaning: c.Name + ": " + c.Meaning})
	}
	return all
}

// imbalance is the ratio of class counts beyond which a warning names the classes.
const imbalance = 2

// present leaves out the counts of classes without rows.
func present(count []int64) []int64 {
	return slices.DeleteFunc(slices.Clone(count), func(n int64) bool { return n == 0 })
}

// health tells how many directions carry a row, how well S_W is determined, and whether the head belongs to the features: see Checks.
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
