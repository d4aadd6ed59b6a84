package ood_test

import (
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/ood"
	"nctrain/analysis/stats"
)

// Detectors that learn from one sweep are fitted on stored statistics as on the rows, to the bit; the others are null and say what they lack.
func TestFitOnStoredStatistics(t *testing.T) {
	o := plain(t)
	o.Scores = []string{"all"}
	want := compute(t, o)
	part, _, err := stats.CollectPart(t.Context(), o.Train.(analysis.Ranger), o.Head, 1, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	part.Info.Name = "all.npz"
	o.Train = part.Stored()
	got := compute(t, o)
	fitted, left := 0, 0
	for name := range scoresOf(want) {
		detector, _ := got.Detectors.Get(name)
		if reason := detector.Reason("fit"); reason != "" {
			left++
			if !strings.Contains(reason, "second sweep") {
				t.Errorf("%s: %s", name, reason)
			}
			continue
		}
		fitted++
		if !slices.Equal(scoresOf(got)[name], scoresOf(want)[name]) {
			t.Errorf("%s: other scores than those of the rows", name)
		}
	}
	for _, name := range []string{"mahalanobis", "rmds", "neco", "nci", "fdbd", "dice"} {
		if scoresOf(got)[name] == nil {
			t.Errorf("%s needs no second sweep and was left out", name)
		}
	}
	if fitted == 0 || left == 0 {
		t.Errorf("%d fitted, %d left out", fitted, left)
	}
	if !slices.ContainsFunc(got.Warnings, func(w string) bool { return strings.Contains(w, "all.npz") && strings.Contains(w, "not looked for") }) {
		t.Errorf("warnings %q do not say that rows were not looked for", got.Warnings)
	}
}

func scoresOf(r *ood.Result) map[string][]float64 {
	scores, _ := r.Scores.Get(ood.IDName)
	m := map[string][]float64{}
	for name, x := range scores.All() {
		m[name] = x
	}
	return m
}
