package ood_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/ood"
)

// TestDeLongByDefinition: the mid-rank form against the structural components over all pairs, full of ties.
func TestDeLongByDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for range 100 {
		draw := func(n int) []float64 {
			x := make([]float64, n)
			for i := range x {
				x[i] = float64(rng.IntN(7))
			}
			return x
		}
		m, n := 2+rng.IntN(30), 2+rng.IntN(30)
		a, b, x, y := draw(m), draw(m), draw(n), draw(n)
		won := func(p, q float64) float64 {
			switch {
			case p > q:
				return 1
			case p == q:
				return 0.5
			}
			return 0
		}
		v10, v01 := make([]float64, m), make([]float64, n)
		var difference float64
		for i := range m {
			for j := range n {
				d := won(a[i], x[j]) - won(b[i], y[j])
				v10[i] += d / float64(n)
				v01[j] += d / float64(m)
				difference += d / float64(m*n)
			}
		}
		variance := func(v []float64) (s float64) {
			for _, e := range v {
				s += (e - difference) * (e - difference) / float64(len(v)-1)
			}
			return s
		}
		se := math.Sqrt(variance(v10)/float64(m) + variance(v01)/float64(n))
		gotD, gotSE, p := ood.DeLong(a, x, b, y)
		if math.Abs(gotD-difference) > 1e-12 || math.Abs(gotSE-se) > 1e-12 {
			t.Fatalf("difference %g, se %g, want %g, %g", gotD, gotSE, difference, se)
		}
		if want := math.Erfc(math.Abs(difference) / se / math.Sqrt2); se > 1e-9 && math.Abs(p-want) > 1e-9 {
			t.Fatalf("p %g, want %g", p, want)
		}
	}
	same := []float64{1, 2, 3}
	if d, se, p := ood.DeLong(same, same, same, same); d != 0 || se != 0 || p != 1 {
		t.Errorf("a score against itself: %g, %g, %g", d, se, p)
	}
	if _, _, p := ood.DeLong([]float64{2, 3}, []float64{0, 1}, []float64{0, 1}, []float64{2, 3}); !math.IsNaN(p) {
		t.Errorf("perfect against reversed: p = %g of no variance", p)
	}
}

func TestHolm(t *testing.T) {
	got := ood.Holm([]float64{0.04, 0.01, math.NaN(), 0.03, 0.9})
	// 0.01*4, 0.03*3, then 0.04*2 = 0.08 is held up at 0.09, 0.9*1.
	want := []float64{0.09, 0.04, math.NaN(), 0.09, 0.9}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-15 || math.IsNaN(got[i]) != math.IsNaN(want[i]) {
			t.Errorf("corrected %v, want %v", got, want)
		}
	}
	if got := ood.Holm([]float64{0.6, 0.7}); got[0] != 1 || got[1] != 1 {
		t.Errorf("corrected %v, want at most 1", got)
	}
}

func TestIntervalsOfAResult(t *testing.T) {
	var first string
	for _, threads := range []int{1, 3} {
		o := plain(t)
		o.OOD = append(o.OOD, analysis.Named{Name: "again", Source: o.OOD[0].Source})
		o.Replicates, o.Seed, o.Threads = 200, 47, threads
		r := compute(t, o)
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(text)
		} else if first != string(text) {
			t.Error("another number of threads gives other intervals")
		}
		var back ood.Result
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if again, _ := json.Marshal(&back); string(again) != string(text) {
			t.Error("a round trip changes the result")
		}
		for set, byScore := range r.OOD.All() {
			for score, v := range byScore.All() {
				for _, key := range ood.MetricKeys {
					x, _ := v.Get(key)
					low, high, ok := v.Pair(key + "_ci95")
					if !ok || low > high || low > x+10 || high < x-10 {
						t.Errorf("%s/%s: %s = %g in [%g, %g]", set, score, key, x, low, high)
					}
				}
			}
			c, _ := r.Comparisons.Get(set)
			if _, there := c.Get("msp"); there || c.Len() != byScore.Len()-1 {
				t.Errorf("%s: compared %v", set, c.Keys())
			}
			v, _ := c.Get("energy")
			a, _ := byScore.Get("energy")
			b, _ := byScore.Get("msp")
			x, _ := a.Get("auroc")
			y, _ := b.Get("auroc")
			if d, _ := v.Get("auroc_diff"); math.Abs(d-(x-y)) > 1e-12 {
				t.Errorf("%s: difference %g of %g and %g", set, d, x, y)
			}
			raw, _ := v.Get("delong_p")
			holm, ok := v.Get("delong_p_holm")
			if !ok || holm < raw || raw <= 0 {
				t.Errorf("%s: p %g, corrected %g", set, raw, holm)
			}
			if keys := v.Keys(); keys[0] != "auroc_diff" || keys[1] != "auroc_diff_ci95" || !strings.HasPrefix(keys[len(keys)-1], "delong") {
				t.Errorf("order of %v", keys)
			}
		}
		// Two sets of the same rows are resampled apart, so their intervals differ; of one set all scores share the resamples.
		at := func(set string) [2]float64 {
			s, _ := r.OOD.Get(set)
			v, _ := s.Get("energy")
			low, high, _ := v.Pair("auroc_ci95")
			return [2]float64{low, high}
		}
		if at("noise") == at("again") {
			t.Error("two sets share their resamples")
		}
		if n := r.Intervals; n.Replicates != 200 || n.Seed != 47 || n.Baseline != "msp" || n.Family != 18 || !strings.Contains(n.Covers, "these rows alone") {
			t.Errorf("note %+v", n)
		}
	}
	o := plain(t)
	o.Scores, o.Notebook, o.Replicates = []string{"mls", "energy"}, false, 50
	if r := compute(t, o); r.Comparisons.Len() != 0 || r.Intervals.Baseline != "" {
		t.Error("compared with a baseline that was not chosen")
	}
	o.Baseline = "mls"
	if r := compute(t, o); r.Intervals.Family != 1 {
		t.Errorf("family of %d", r.Intervals.Family)
	}
	o.Baseline = "vim"
	if _, err := ood.Compute(t.Context(), o); err == nil || !strings.Contains(err.Error(), `"vim"`) {
		t.Errorf("err %v", err)
	}
	o.Baseline, o.Replicates = "", 3
	if _, err := ood.Compute(t.Context(), o); err == nil || !strings.Contains(err.Error(), "at least 40") {
		t.Errorf("err %v", err)
	}
}

func TestPerfectAUROCGetsAOneSidedBound(t *testing.T) {
	s := identity()
	for i := range 50 {
		s.id = append(s.id, 10+float64(i), 0)
	}
	o := s.options(t, "msp")
	low := identity()
	low.id = []float64{1, 0, 2, 0, 3, 0}
	o.OOD = low.options(t).OOD
	o.Replicates = 40
	r := compute(t, o)
	set, _ := r.OOD.Get("n")
	v, _ := set.Get("msp")
	bound, high, _ := v.Pair("auroc_ci95")
	if math.Abs(bound-100*math.Cbrt(0.05)) > 1e-9 || high != 100 || !strings.Contains(v.Text("auroc_ci95_kind"), "one-sided") {
		t.Errorf("[%g, %g] %q", bound, high, v.Text("auroc_ci95_kind"))
	}
}

// TestOneRowGivesNoInterval: the resamples of one OOD row are all that row, so an interval would be that of the ID rows alone; the bound of a perfect AUROC is none of resamples.
func TestOneRowGivesNoInterval(t *testing.T) {
	s := identity()
	for i := range 50 {
		s.id = append(s.id, float64(i), 20)
	}
	o := s.options(t, "msp", "mls", "energy")
	lone := identity()
	lone.id = []float64{3, 25.5}
	o.OOD = lone.options(t).OOD
	o.Replicates = 40
	r := compute(t, o)
	set, _ := r.OOD.Get("n")
	v, _ := set.Get("mls")
	against, _ := r.Comparisons.Get("n")
	c, _ := against.Get("mls")
	for _, each := range []struct {
		values analysis.Values
		keys   []string
	}{{v, []string{"auroc_ci95", "fpr95_ood_pos_ci95", "aupr_in_trapz_ci95"}}, {c, []string{"auroc_diff_ci95", "auroc_diff_se", "delong_p", "delong_p_holm"}}} {
		for _, key := range each.keys {
			if !strings.Contains(each.values.Reason(key), "50 ID and 1 OOD rows: one row tells nothing") {
				t.Errorf("%s: reason %q", key, each.values.Reason(key))
			}
		}
	}
	if x, ok := v.Get("auroc"); !ok || x != 48 { // 24 of 50 rows score higher than 25.5
		t.Errorf("auroc %g, %v", x, ok)
	}
	if !warned(v, "fpr95_ood_pos moves in steps of 2 points, fpr95_id_pos in steps of 100") {
		t.Errorf("warnings %q", v.Warnings)
	}
	if r.Intervals.Family != 0 {
		t.Errorf("Holm's family is %d of no p-value", r.Intervals.Family)
	}
}

func TestSelectivePrediction(t *testing.T) {
	// Falling scores: right, wrong, (right, wrong tied). Risks 0, 1/2, then 1 + 1/2 of 3 in the mean over both orders, 2/4.
	scores, correct := []float64{4, 3, 2, 2}, []bool{true, false, true, false}
	curve, area, err := ood.RiskCoverage(scores, correct)
	if want := []ood.RiskPoint{{0.25, 0}, {0.5, 0.5}, {1, 0.5}}; err != nil || !slices.Equal(curve, want) {
		t.Errorf("curve %v, want %v, err %v", curve, want, err)
	}
	if want := (0 + 0.5 + 0.5 + 0.5) / 4; math.Abs(area-want) > 1e-15 {
		t.Errorf("area %g, want %g", area, want)
	}
	// OSCR: pairs in which the ID row is right and wins.
	if x, err := ood.OSCR(scores, correct, []float64{2, 3}); err != nil || x != (1+1+0.5)/8 {
		t.Errorf("OSCR %g, want %g, err %v", x, 2.5/8, err)
	}
	for _, err := range []error{func() error { _, _, err := ood.RiskCoverage(nil, nil); return err }(), func() error { _, err := ood.OSCR(scores, correct, nil); return err }()} {
		if err == nil {
			t.Error("no rows were taken")
		}
	}
	// Risk by brute force over random orders of distinct scores, and in a result.
	rng := rand.New(rand.NewPCG(31, 32))
	for range 50 {
		n := 1 + rng.IntN(30)
		scores, correct = make([]float64, n), make([]bool, n)
		for i := range scores {
			scores[i], correct[i] = rng.NormFloat64(), rng.IntN(3) > 0
		}
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int {
			if scores[a] > scores[b] {
				return -1
			}
			return 1
		})
		var mistakes, want float64
		for i, at := range order {
			if !correct[at] {
				mistakes++
			}
			want += mistakes / float64(i+1) / float64(n)
		}
		if _, got, _ := ood.RiskCoverage(scores, correct); math.Abs(got-want) > 1e-12 {
			t.Fatalf("area %g, want %g", got, want)
		}
	}
	golden := archive(t, "testdata/detectors_golden.npz")
	r := compute(t, headed(t, golden, "plain"))
	id, _ := r.Scores.Get(ood.IDName)
	energy, _ := id.Get("energy")
	_, area, _ = ood.RiskCoverage(energy, r.Correct)
	v, _ := r.Selective.Get("energy")
	best, _ := v.Get("aurc_best")
	if got, _ := v.Get("aurc"); math.Abs(got-100*area) > 1e-12 || best > got || best <= 0 {
		t.Errorf("AURC %g of %g, best %g", got, 100*area, best)
	}
	set, _ := r.OOD.Get("noise")
	cell, _ := set.Get("energy")
	oscr, ok := cell.Get("oscr")
	auroc, _ := cell.Get("auroc")
	if !ok || oscr > auroc || oscr > *r.IDAccuracy {
		t.Errorf("OSCR %g beside AUROC %g and accuracy %g", oscr, auroc, *r.IDAccuracy)
	}
}

// TestPairedDifferences: the interval of a difference is that of a bootstrap of the test's own, whose rows are drawn for both scores at once, and changes its sign with the baseline.
func TestPairedDifferences(t *testing.T) {
	o := plain(t)
	o.Scores, o.Notebook, o.Replicates, o.Baseline = []string{"msp", "vim"}, false, 1000, "msp"
	r := compute(t, o)
	o.Baseline = "vim"
	turned := compute(t, o)
	values := func(r *ood.Result, name string) analysis.Values {
		bySet, _ := r.Comparisons.Get("noise")
		v, _ := bySet.Get(name)
		return v
	}
	for _, key := range ood.MetricKeys {
		a, _ := values(r, "vim").Get(key + "_diff")
		b, _ := values(turned, "msp").Get(key + "_diff")
		low, high, ok := values(r, "vim").Pair(key + "_diff_ci95")
		turnedLow, turnedHigh, _ := values(turned, "msp").Pair(key + "_diff_ci95")
		if a != -b || !ok || math.Abs(low+turnedHigh) > 1e-9 || math.Abs(high+turnedLow) > 1e-9 {
			t.Errorf("%s: %g in [%g, %g], with the other baseline %g in [%g, %g]", key, a, low, high, b, turnedLow, turnedHigh)
		}
	}
	scores := func(set, name string) []float64 {
		byScore, _ := r.Scores.Get(set)
		x, _ := byScore.Get(name)
		return x
	}
	auroc := func(name string, id, far []int) float64 {
		a, b := scores(ood.IDName, name), scores("noise", name)
		var wins float64
		for _, i := range id {
			for _, j := range far {
				switch {
				case a[i] > b[j]:
					wins++
				case a[i] == b[j]:
					wins += 0.5
				}
			}
		}
		return 100 * wins / float64(len(id)*len(far))
	}
	rng := rand.New(rand.NewPCG(19, 20))
	draw := func(n int) []int {
		rows := make([]int, n)
		for i := range rows {
			rows[i] = rng.IntN(n)
		}
		return rows
	}
	const draws = 1000
	differences := make([]float64, draws)
	for i := range differences {
		id, far := draw(r.NID), draw(len(scores("noise", "msp")))
		differences[i] = auroc("vim", id, far) - auroc("msp", id, far)
	}
	slices.Sort(differences)
	low, high, _ := values(r, "vim").Pair("auroc_diff_ci95")
	wantLow, wantHigh := differences[draws/40], differences[draws-1-draws/40]
	// A quantile of 2.5 % among 1000 normal draws has the standard deviation 0.084 of theirs, so two of them 0.12, and the width is 3.92: four times the former is 0.12 of the width.
	if bound := 0.12 * (wantHigh - wantLow); wantHigh-wantLow < 1 || math.Abs(low-wantLow) > bound || math.Abs(high-wantHigh) > bound {
		t.Errorf("[%g, %g], by a bootstrap of its own [%g, %g]", low, high, wantLow, wantHigh)
	}
}

// TestCancelledBootstrap: the context's error comes back, nothing is added, and nothing more is drawn: what one allocates does not grow with the replicates.
func TestCancelledBootstrap(t *testing.T) {
	o := plain(t)
	o.Scores = []string{"msp", "mls"}
	r := compute(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	allocations := func(replicates int) float64 {
		return testing.AllocsPerRun(1, func() {
			if err := r.AddIntervals(ctx, ood.IntervalOptions{Replicates: replicates, Threads: 1}); !errors.Is(err, context.Canceled) {
				t.Fatalf("err %v", err)
			}
		})
	}
	if few, many := allocations(ood.LeastReplicates), allocations(8000); many > few+100 {
		t.Errorf("%g allocations for %d replicates, %g for 8000", few, ood.LeastReplicates, many)
	}
	scores, _ := r.OOD.Get("noise")
	if v, _ := scores.Get("msp"); r.Intervals != nil || r.Comparisons.Len() > 0 || slices.Contains(v.Keys(), "auroc_ci95") {
		t.Errorf("a cancelled bootstrap left intervals: %v", v.Keys())
	}
}
