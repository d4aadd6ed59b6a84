package ood_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"nctrain/analysis/ood"
)

func TestConformalThreshold(t *testing.T) {
	scores := make([]float64, 99)
	for i := range scores {
		scores[len(scores)-1-i] = float64(i + 1)
	}
	// floor(0.05 * 100) = 5: the fifth smallest. Beta(95, 5): 2.5 % and 97.5 % quantiles from scipy 1.17.1, stats.beta.ppf.
	got, err := ood.ConformalThreshold(scores, 0.95)
	if err != nil || got.Value != 5 || got.Rank != 5 || got.N != 99 || math.Abs(got.Low-0.89977209) > 1e-7 || math.Abs(got.High-0.98340009) > 1e-7 {
		t.Errorf("%+v, err %v", got, err)
	}
	for want, c := range map[string]struct {
		n          int
		acceptance float64
	}{"at least 19": {18, 0.95}, "between 0 and 1": {99, 1}, "share": {99, math.NaN()}} {
		if _, err := ood.ConformalThreshold(scores[:c.n], c.acceptance); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d rows at %g: err %v", c.n, c.acceptance, err)
		}
	}
	if _, err := ood.ConformalThreshold(scores[:19], 0.95); err != nil {
		t.Errorf("19 rows are enough: %v", err)
	}
	if _, err := ood.ConformalThreshold(append(scores, math.NaN()), 0.95); err == nil {
		t.Error("NaN was taken")
	}
}

// TestConformalAcceptanceHolds: uniform scores, whose true acceptance is 1 - threshold. Its mean over draws is 1 - k/(n+1) within four standard errors, and the Beta interval
// holds it in 95 % of draws within four standard errors of 0.5 %.
func TestConformalAcceptanceHolds(t *testing.T) {
	const n, draws = 60, 2000
	rng := rand.New(rand.NewPCG(41, 42))
	var mean float64
	held := 0
	for range draws {
		scores := make([]float64, n)
		for i := range scores {
			scores[i] = rng.Float64()
		}
		th, err := ood.ConformalThreshold(scores, 0.9)
		if err != nil {
			t.Fatal(err)
		}
		truth := 1 - th.Value
		mean += truth / draws
		if th.Low <= truth && truth <= th.High {
			held++
		}
	}
	// The acceptance is Beta(55, 6): standard deviation sqrt(55*6/(61^2*62)) = 0.0378.
	if want := 1 - 6./61; math.Abs(mean-want) > 4*0.0378/math.Sqrt(draws) {
		t.Errorf("mean acceptance %g, want %g", mean, want)
	}
	if share := float64(held) / draws; math.Abs(share-0.95) > 0.02 {
		t.Errorf("the interval holds the truth in %.1f %%", 100*share)
	}
}

func TestThresholdsOfAResult(t *testing.T) {
	o := headed(t, archive(t, "testdata/detectors_golden.npz"), "plain")
	o.Scores, o.ThresholdAt = []string{"energy", "klm"}, 0.9
	r := compute(t, o)
	v, _ := r.Thresholds.Get("energy")
	low, high, _ := v.Pair("acceptance_ci95")
	// floor(0.1 * 81) = 8 of 80 held-out rows.
	if rank, _ := v.Get("rank"); rank != 8 || v.N != 80 || !(low < 90 && 90 < high) || len(v.Warnings) > 0 {
		t.Errorf("%+v", v)
	}
	if acceptance, _ := v.Get("acceptance"); acceptance != 90 || high > 100 {
		t.Errorf("acceptance %g in [%g, %g]", acceptance, low, high)
	}
	threshold, _ := v.Get("threshold")
	id, _ := r.Scores.Get(ood.IDName)
	scores, _ := id.Get("energy")
	accepted := 0
	for _, x := range scores {
		if x >= threshold {
			accepted++
		}
	}
	if got, _ := v.Get("id_accepted"); got != 100*float64(accepted)/float64(len(scores)) || accepted == 0 {
		t.Errorf("%g %% accepted, want %d of %d", got, accepted, len(scores))
	}
	if v, _ := r.Thresholds.Get("klm"); !warned(v, "not guaranteed") {
		t.Errorf("klm is fitted on val: warnings %q", v.Warnings)
	}
	// Of the held-out rows themselves the one at the threshold is accepted: 73 of 80.
	own := o
	own.ID, own.AllowOverlap = o.Val, true
	r = compute(t, own)
	v, _ = r.Thresholds.Get("energy")
	if got, _ := v.Get("id_accepted"); got != 100*73./80 {
		t.Errorf("%g %% of the held-out rows accepted, want 73 of 80", got)
	}
	o.Val = nil
	if _, err := ood.Compute(t.Context(), o); err == nil || !strings.Contains(err.Error(), "--val") {
		t.Errorf("without val: err %v", err)
	}
}
