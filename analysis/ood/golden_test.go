package ood_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/ood"
	"nctrain/internal/npz"
)

// archive reads an .npz written by testdata/golden_ood.py whole.
func archive(t *testing.T, path string) map[string][]float64 {
	t.Helper()
	file, err := npz.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	out := map[string][]float64{}
	for _, info := range file.Arrays() {
		if info.DType.IsFloat() {
			if out[info.Name], err = file.Float64s(info.Name); err != nil {
				t.Fatal(err)
			}
			continue
		}
		ints, err := file.Int64s(info.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range ints {
			out[info.Name] = append(out[info.Name], float64(x))
		}
	}
	return out
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

const classes = 8

// options builds the inputs of one golden case, in float32 as a network gives them; inputs without logits make sources without.
func options(t *testing.T, inputs map[string][]float64, name string) ood.Options {
	t.Helper()
	d := len(inputs[name+"_weight"]) / classes
	source := func(set string, labels []int64) analysis.Source {
		f, l := narrow(inputs[name+"_"+set+"_features"]), narrow(inputs[name+"_"+set+"_logits"])
		if labels == nil {
			labels = make([]int64, len(f)/d)
		}
		src, err := analysis.NewMemory(analysis.Info{Name: set, Meta: analysis.Meta{Checkpoint: "x"}}, f, l, labels)
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	var labels []int64
	for _, x := range inputs[name+"_labels"] {
		labels = append(labels, int64(x))
	}
	weight := narrow(inputs[name+"_weight"])
	head, err := analysis.NewHead("head", classes, len(weight)/classes, weight, narrow(inputs[name+"_bias"]), analysis.Meta{Checkpoint: "x"})
	if err != nil {
		t.Fatal(err)
	}
	return ood.Options{Train: source("train", labels), ID: source("id", nil), OOD: []analysis.Named{{Name: "noise", Source: source("ood", nil)}}, Head: head,
		Notebook: true, Params: map[string]float64{"vim@notebook.dim": 9}}
}

// TestScoresAgainstGoldens: the notebook's forms within 1e-4 of their standard deviation (float32 there), ours within 1e-9 of two-pass float64 numpy. Under collapse S_W has a
// condition of 1e5 over eigenvalues of 1e-6 and distances of 1e6, so the bound is relative to the largest score.
func TestScoresAgainstGoldens(t *testing.T) {
	inputs, want := archive(t, "testdata/ood_inputs.npz"), archive(t, "testdata/ood_golden.npz")
	for _, name := range []string{"plain", "collapsed", "zero_units"} {
		r, err := ood.Compute(t.Context(), options(t, inputs, name))
		if err != nil {
			t.Fatal(err)
		}
		compared := 0
		for set, key := range map[string]string{"id": ood.IDName, "ood": "noise"} {
			scores, _ := r.Scores.Get(key)
			for _, d := range ood.Detectors() {
				golden := want[name+"_"+d.Name+"_"+set]
				if golden == nil {
					continue
				}
				got, ok := scores.Get(d.Name)
				if !ok || len(got) != len(golden) {
					t.Errorf("%s: %s has %d scores of %d", name, d.Name, len(got), len(golden))
					continue
				}
				bound := 0.0
				if strings.HasSuffix(d.Name, "@notebook") {
					bound = 1e-4 * deviation(golden)
				} else {
					for _, x := range golden {
						bound = math.Max(bound, 1e-9*math.Abs(x))
					}
				}
				for i := range golden {
					if !(math.Abs(got[i]-golden[i]) <= bound) {
						t.Errorf("%s: %s of %s row %d is %.12g, want %.12g within %.2g", name, d.Name, set, i, got[i], golden[i], bound)
						break
					}
				}
				compared++
			}
		}
		if n := map[string]int{"plain": 20, "zero_units": 20, "collapsed": 12}[name]; compared != n {
			t.Errorf("%s: %d score arrays compared, want %d", name, compared, n)
		}
	}
}

func deviation(x []float64) float64 {
	var mean, square float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		square += (v - mean) * (v - mean) / float64(len(x))
	}
	return math.Sqrt(square)
}

func TestMetricsAgainstScikitLearn(t *testing.T) {
	text, err := os.ReadFile("testdata/metrics_golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		t.Fatal(err)
	}
	delete(raw, "versions")
	if len(raw) < 9 {
		t.Fatalf("%d cases", len(raw))
	}
	for name, r := range raw {
		var c struct {
			ID, OOD []float64
			Metrics map[string]float64
		}
		if err := json.Unmarshal(r, &c); err != nil {
			t.Fatal(err)
		}
		v := ood.Measure(c.ID, c.OOD)
		for _, key := range ood.MetricKeys {
			if got, ok := v.Get(key); !ok || math.Abs(got-c.Metrics[key]) > 1e-9 {
				t.Errorf("%s: %s = %.12g, want %.12g", name, key, got, c.Metrics[key])
			}
		}
		if v.N != len(c.ID)+len(c.OOD) {
			t.Errorf("n is %d", v.N)
		}
		if base, _ := v.Get("base_rate"); math.Abs(base-100*float64(len(c.OOD))/float64(len(c.ID)+len(c.OOD))) > 1e-12 {
			t.Errorf("%s: base rate %g", name, base)
		}
	}
}
