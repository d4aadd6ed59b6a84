package ood

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"nctrain/analysis"
)

// TestQuantilesAreThoseOfASort: values of both signs, zeros, ties, from tiny to huge, in either stored type and any blocks.
func TestQuantilesAreThoseOfASort(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	shares := []float64{0, 0.1, 0.5, 0.9, 0.999, 1}
	for _, stored := range []analysis.DType{analysis.Float32, analysis.Float64} {
		for trial := range 20 {
			x := make([]float64, 1+rng.IntN(400))
			for i := range x {
				switch rng.IntN(4) {
				case 0:
				case 1:
					x[i] = float64(rng.IntN(5) - 2)
				default:
					x[i] = rng.NormFloat64() * math.Pow(10, 20*rng.Float64()-10)
				}
				if stored == analysis.Float32 {
					x[i] = float64(float32(x[i]))
				}
			}
			q := newQuantiles(int64(len(x)), stored, shares...)
			for sweeps := 1; ; sweeps++ {
				for from := 0; from < len(x); {
					to := min(len(x), from+1+rng.IntN(100))
					q.Observe(&analysis.Block{Features: x[from:to]})
					from = to
				}
				if err := q.Finish(); err != nil {
					t.Fatal(err)
				}
				if !q.Again() {
					if want := map[analysis.DType]int{analysis.Float32: 2, analysis.Float64: 4}[stored]; sweeps != want {
						t.Errorf("%v: %d sweeps, want %d", stored, sweeps, want)
					}
					break
				}
			}
			sorted := slices.Sorted(slices.Values(x))
			for k, share := range shares {
				if got, want := q.values[k], quantileOf(sorted, share); got != want {
					t.Fatalf("%v trial %d: quantile %g of %d values is %g, want %g", stored, trial, share, len(x), got, want)
				}
			}
		}
	}
}

func TestKthLargestIsThatOfASort(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		x := make([]float64, 1+rng.IntN(40))
		for i := range x {
			x[i] = float64(rng.IntN(12))
		}
		sorted := slices.Sorted(slices.Values(x))
		k := 1 + rng.IntN(len(x))
		if got, want := kthLargest(slices.Clone(x), k), sorted[len(x)-k]; got != want {
			t.Fatalf("largest number %d of %v is %g, want %g", k, x, got, want)
		}
		marked := 0
		for i, kept := range largest(x, k) {
			if kept {
				marked++
			}
			if kept && x[i] < sorted[len(x)-k] || !kept && x[i] > sorted[len(x)-k] {
				t.Fatalf("marks row %d of %v among the largest %d", i, x, k)
			}
		}
		if marked != k {
			t.Fatalf("%d marked of %d", marked, k)
		}
	}
}
