package ood_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/ood"
)

// The mean residual of many rows of float32, which comes of products in float32, is that of the same rows as float64 within what vim.go says; where rows are few, or lie in the
// principal subspace but for little, it is the very same.
func TestMeanResidualInFloat32(t *testing.T) {
	const d, c, many, few = 32, 4, 1 << 14, 1000
	for _, test := range []struct {
		name     string
		n        int
		residual float64 // of the rows, beside 1
		narrow   bool
	}{{"many", many, 0.5, true}, {"least share", many, 0.02, true}, {"few", few, 0.5, false}, {"little residual", many, 0.005, false}} {
		rng := rand.New(rand.NewPCG(1, 2))
		features, logits, labels := make([]float32, test.n*d), make([]float32, test.n*c), make([]int64, test.n)
		weight, bias := make([]float32, c*d), make([]float32, c)
		for i := range weight {
			weight[i] = float32(rng.NormFloat64())
		}
		for i := range bias {
			bias[i] = float32(0.01 * rng.NormFloat64())
		}
		head, err := analysis.NewHead("head", c, d, weight, bias, analysis.Meta{})
		if err != nil {
			t.Fatal(err)
		}
		row, out := make([]float64, d), make([]float64, c)
		for i := range test.n {
			labels[i] = int64(i % c)
			for j := range row {
				features[i*d+j] = float32(rng.NormFloat64())
				if j >= d/2 {
					features[i*d+j] *= float32(test.residual)
				}
				row[j] = float64(features[i*d+j])
			}
			head.Logits(out, row, 1)
			for k, x := range out {
				logits[i*c+k] = float32(x)
			}
		}
		wide, wideLogits := make([]float64, len(features)), make([]float64, len(logits))
		for i, x := range features {
			wide[i] = float64(x)
		}
		for i, x := range logits {
			wideLogits[i] = float64(x)
		}
		mean := func(src analysis.Source, err error) float64 {
			if err != nil {
				t.Fatal(err)
			}
			far := make([]float32, 10*d)
			for i := range far {
				far[i] = 9
			}
			other, err := analysis.NewMemory(analysis.Info{Name: "far"}, far, make([]float32, 0), make([]int64, 10))
			if err != nil {
				t.Fatal(err)
			}
			r, err := ood.Compute(t.Context(), ood.Options{Train: src, ID: src, Head: head, Scores: []string{"vim"}, AllowOverlap: true,
				OOD: []analysis.Named{{Name: "far", Source: other}}})
			if err != nil {
				t.Fatal(err)
			}
			v, _ := r.Detectors.Get("vim")
			x, ok := v.Get("mean_residual")
			if !ok {
				t.Fatalf("%s: no mean residual: %v", test.name, r.Warnings)
			}
			return x
		}
		got := mean(analysis.NewMemory(analysis.Info{Name: "train"}, features, logits, labels))
		want := mean(analysis.NewMemory(analysis.Info{Name: "train"}, wide, wideLogits, labels))
		bound := 0.0
		if test.narrow {
			bound = 0x1p-24 / test.residual * want
		}
		if math.Abs(got-want) > bound || test.narrow && got == want {
			t.Errorf("%s: mean residual %.17g of float32, %.17g of float64: apart by %.2g, want 0 or at most %.2g", test.name, got, want, math.Abs(got-want), bound)
		}
	}
}
