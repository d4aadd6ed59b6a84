package ood_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/ood"
)

// headed builds a case of testdata/golden_detectors.py: the features of ood_inputs.npz under another head, whose W h + b are the logits, and held-out rows.
func headed(t *testing.T, golden map[string][]float64, name string) ood.Options {
	t.Helper()
	inputs := archive(t, "testdata/ood_inputs.npz")
	for key := range inputs {
		if strings.HasSuffix(key, "_logits") {
			delete(inputs, key)
		}
	}
	inputs[name+"_weight"], inputs[name+"_bias"] = golden[name+"_weight"], golden[name+"_bias"]
	o := options(t, inputs, name)
	o.Notebook, o.Params, o.Scores = false, nil, []string{"all"}
	var labels []int64
	for _, x := range golden[name+"_val_labels"] {
		labels = append(labels, int64(x))
	}
	var err error
	o.Val, err = analysis.NewMemory(analysis.Info{Name: "val", Meta: analysis.Meta{Checkpoint: "x"}}, narrow(golden[name+"_val_features"]), nil, labels)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// compare holds the scores of both sets against arrays CASE_NAME+suffix_SET and counts those compared.
func compare(t *testing.T, r *ood.Result, want map[string][]float64, name, suffix string, bound func(golden []float64) float64) (compared int) {
	t.Helper()
	for set, key := range map[string]string{"id": ood.IDName, "ood": "noise"} {
		scores, _ := r.Scores.Get(key)
		for _, d := range ood.Detectors() {
			golden := want[name+"_"+d.Name+suffix+"_"+set]
			if golden == nil {
				continue
			}
			got, ok := scores.Get(d.Name)
			if !ok || len(got) != len(golden) {
				v, _ := r.Detectors.Get(d.Name)
				t.Errorf("%s: %s has %d scores of %d: %s", name, d.Name, len(got), len(golden), v.Reason("fit"))
				continue
			}
			for i := range golden {
				if math.IsNaN(golden[i]) { // not determined: the script says why
					continue
				}
				if !(math.Abs(got[i]-golden[i]) <= bound(golden)) {
					t.Errorf("%s: %s%s of %s row %d is %.12g, want %.12g within %.2g", name, d.Name, suffix, set, i, got[i], golden[i], bound(golden))
					break
				}
			}
			compared++
		}
	}
	return compared
}

// TestDetectorsAgainstThePapers: within 1e-9 of the largest score of float64 numpy of the formulas (temperature: 1e-6, what scipy's minimiser of a function leaves).
func TestDetectorsAgainstThePapers(t *testing.T) {
	golden := archive(t, "testdata/detectors_golden.npz")
	for _, name := range []string{"plain", "zero_units"} {
		r := compute(t, headed(t, golden, name))
		loose := map[string][]float64{}
		exact := map[string][]float64{}
		for key, x := range golden {
			if strings.Contains(key, "temperature") {
				loose[key] = x
			} else {
				exact[key] = x
			}
		}
		largest := func(share float64) func([]float64) float64 {
			return func(golden []float64) (bound float64) {
				for _, x := range golden {
					bound = math.Max(bound, share*math.Abs(x))
				}
				return bound
			}
		}
		n := compare(t, r, exact, name, "", largest(1e-9)) + compare(t, r, loose, name, "", largest(1e-6))
		if n != 42 {
			t.Errorf("%s: %d score arrays compared, want 42", name, n)
		}
	}
}

// TestDetectorsAgainstPytorchOOD: within 1e-3 of the standard deviation of pytorch-ood 0.4's float32 scores of the same features and head.
func TestDetectorsAgainstPytorchOOD(t *testing.T) {
	golden := archive(t, "testdata/detectors_golden.npz")
	n := compare(t, compute(t, headed(t, golden, "plain")), golden, "plain", "@pytorch-ood", func(golden []float64) float64 {
		return 1e-3 * deviation(slices.DeleteFunc(slices.Clone(golden), math.IsNaN))
	})
	if n != 44 {
		t.Errorf("%d score arrays compared, want 44", n)
	}
}
