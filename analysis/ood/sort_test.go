package ood

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSortScores sorts few and many numbers of all sizes and both signs as the library does.
func TestSortScores(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 52))
	for _, n := range []int{0, 1, 255, 256, 5000} {
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.NormFloat64() * math.Exp(100*rng.NormFloat64())
			if i%7 == 0 {
				x[i] = []float64{0, 1, -1, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(-1), math.Inf(1)}[i/7%8]
			}
		}
		want := slices.Sorted(slices.Values(x))
		if sortScores(x); !slices.Equal(x, want) {
			t.Errorf("%d numbers are out of order", n)
		}
	}
}

func BenchmarkSortScores(b *testing.B) {
	rng := rand.New(rand.NewPCG(53, 54))
	scores := make([]float64, 10000)
	for i := range scores {
		scores[i] = rng.NormFloat64()
	}
	x := make([]float64, len(scores))
	for name, sort := range map[string]func([]float64){"digits": sortScores, "comparisons": slices.Sort[[]float64]} {
		b.Run("by="+name, func(b *testing.B) {
			for b.Loop() {
				copy(x, scores)
				sort(x)
			}
		})
	}
}
