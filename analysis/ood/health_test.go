package ood_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"nctrain/analysis/ood"
)

// TestTiesAreCountedAndWarnedOf: of 4 x 3 pairs, the two 1s meet one 1 and the 2 meets one 2.
func TestTiesAreCountedAndWarnedOf(t *testing.T) {
	v := ood.Measure([]float64{1, 1, 2, 3}, []float64{1, 2, 0})
	if x, _ := v.Get("ties"); math.Abs(x-100*3./12) > 1e-12 {
		t.Errorf("ties %g", x)
	}
	for _, want := range []string{"25 % of the (ID, OOD) pairs", "4 ID and 3 OOD rows"} {
		if !slices.ContainsFunc(v.Warnings, func(w string) bool { return strings.Contains(w, want) }) {
			t.Errorf("no warning %q in %q", want, v.Warnings)
		}
	}
	many := func(shift float64) (x []float64) {
		for i := range 200 {
			x = append(x, float64(i)+shift)
		}
		return x
	}
	if v := ood.Measure(many(0), many(0.5)); len(v.Warnings) > 0 {
		t.Errorf("warnings %q", v.Warnings)
	}
}

func TestHealthOfAResult(t *testing.T) {
	o := plain(t)
	r := compute(t, o)
	x := func(key string) float64 { v, _ := r.Health.Get(key); return v }
	if x("fit_rows") != 288 || x("fit_smallest_class") != 36 || x("val_rows") != 0 || x("overlap") != 0 || !(x("head_mismatch") > 0 && x("head_mismatch") < 0.1) { // of float32 logits
		t.Errorf("health %v: %g rows, smallest class %g, %g held out, overlap %g, mismatch %g", r.Health.Keys(), x("fit_rows"), x("fit_smallest_class"), x("val_rows"), x("overlap"), x("head_mismatch"))
	}
	o.AllowOverlap = true
	o.ID = o.Train
	if r = compute(t, o); x("overlap") != 288 {
		t.Errorf("overlap %g of rows that are all fitted on", x("overlap"))
	}
}
