package ood_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"nctrain/analysis/ood"
)

// TestMetricsByDefinition compares small random sets, full of ties, with the definitions by brute force: AUROC over all pairs, FPR95 over all thresholds.
func TestMetricsByDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for range 300 {
		draw := func(n, shift int) []float64 {
			x := make([]float64, n)
			for i := range x {
				x[i] = float64(rng.IntN(6) + shift)
			}
			return x
		}
		id, out := draw(1+rng.IntN(45), 1), draw(1+rng.IntN(45), 0)
		v := ood.Measure(id, out)
		var won float64
		for _, a := range id {
			for _, b := range out {
				switch {
				case a > b:
					won++
				case a == b:
					won += 0.5
				}
			}
		}
		count := func(x []float64, keep func(float64) bool) (n int) {
			for _, v := range x {
				if keep(v) {
					n++
				}
			}
			return n
		}
		// The least share of rejected ID rows (accepted OOD rows) over thresholds that reach 95 %.
		rejected, accepted := 1.0, 1.0
		for _, threshold := range slices.Concat(id, out) {
			low, high := func(x float64) bool { return x <= threshold }, func(x float64) bool { return x >= threshold }
			if 100*count(out, low) >= 95*len(out) {
				rejected = math.Min(rejected, float64(count(id, low))/float64(len(id)))
			}
			if 100*count(id, high) >= 95*len(id) {
				accepted = math.Min(accepted, float64(count(out, high))/float64(len(out)))
			}
		}
		for key, want := range map[string]float64{"auroc": 100 * won / float64(len(id)*len(out)), "fpr95_ood_pos": 100 * rejected, "fpr95_id_pos": 100 * accepted} {
			if got, _ := v.Get(key); math.Abs(got-want) > 1e-10 {
				t.Fatalf("%s = %g, want %g for %v and %v", key, got, want, id, out)
			}
		}
		// Metrics depend on ranks alone, and change sides with the sign.
		monotone := func(x []float64) []float64 {
			y := slices.Clone(x)
			for i := range y {
				y[i] = math.Exp(3*y[i]) - 7
			}
			return y
		}
		negated := func(x []float64) []float64 {
			y := slices.Clone(x)
			for i := range y {
				y[i] = -y[i]
			}
			return y
		}
		w, m := ood.Measure(monotone(id), monotone(out)), ood.Measure(negated(out), negated(id))
		for i, key := range ood.MetricKeys {
			a, _ := v.Get(key)
			b, _ := w.Get(key)
			c, _ := m.Get([]string{"auroc", "fpr95_id_pos", "fpr95_ood_pos", "aupr_in", "aupr_out", "aupr_in_trapz", "aupr_out_trapz"}[i])
			if a != b || math.Abs(a-c) > 1e-10 {
				t.Fatalf("%s: %g, of monotone scores %g, of exchanged sets %g", key, a, b, c)
			}
		}
	}
}

// TestPerfectIsOneHundred: no sum of rounded shares, which came to 100.00000000000024 with 300 rows.
func TestPerfectIsOneHundred(t *testing.T) {
	for n := 1; n <= 400; n++ {
		id, out := make([]float64, n), make([]float64, n)
		for i := range n {
			id[i], out[i] = float64(1+i), float64(-i)
		}
		v := ood.Measure(id, out)
		for _, key := range []string{"auroc", "aupr_out", "aupr_in", "aupr_out_trapz", "aupr_in_trapz"} {
			if x, _ := v.Get(key); x != 100 {
				t.Fatalf("%d rows: %s = %v", n, key, x)
			}
		}
	}
}
