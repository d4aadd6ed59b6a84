package ood

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"nctrain/internal/philox"
)

// repeated lists each score as often as it was drawn.
func repeated(scores []float64, counts []uint16) (out []float64) {
	for i, n := range counts {
		for range n {
			out = append(out, scores[i])
		}
	}
	return out
}

// TestReplicatesAgainstMeasureOfTheResampledRows: what one pass over sorted rows gives is what Measure gives for the rows written out, ties or none.
func TestReplicatesAgainstMeasureOfTheResampledRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for trial := range uint32(300) {
		draw := func(shift float64) []float64 {
			x := make([]float64, 1+rng.IntN(70))
			for i := range x {
				if x[i] = shift + rng.NormFloat64(); trial%2 == 0 {
					x[i] = math.Round(x[i])
				}
			}
			return x
		}
		id, out := draw(1), draw(0)
		countID, countOOD := make([]uint16, len(id)), make([]uint16, len(out))
		resample(countID, 47, 1, trial)
		resample(countOOD, 47, 2, trial)
		var got [numMetrics]float64
		newRanking(id, out).measure(countID, countOOD, &got)
		want := Measure(repeated(id, countID), repeated(out, countOOD))
		for k, key := range MetricKeys {
			if x, ok := want.Get(key); !ok || math.Abs(got[k]-x) > 1e-10 {
				t.Fatalf("trial %d: %s = %.15g, want %.15g", trial, key, got[k], x)
			}
		}
	}
}

func TestResamplesAreTheirDefinition(t *testing.T) {
	const n, seed = 11, 5 | 7<<32
	counts := make([]uint16, n)
	var other []uint16
	for replicate := range uint32(50) {
		resample(counts, seed, 9, replicate)
		want := make([]uint16, n)
		for i := range uint32(n) {
			w := philox.Words([2]uint32{5, 7}, [4]uint32{i / 4, replicate, 9})[i%4]
			want[uint64(w)*n>>32]++
		}
		if !slices.Equal(counts, want) {
			t.Fatalf("replicate %d: %v, want %v", replicate, counts, want)
		}
		if slices.Equal(counts, other) {
			t.Errorf("replicate %d repeats the one before", replicate)
		}
		other = slices.Clone(counts)
	}
}

// TestIntervalsCover: of 300 draws of ID N(1,1) and OOD N(0,1) the nominal 95 % interval holds the true AUROC Phi(1/sqrt 2) in 91 % to 99 % (four standard errors of 1.3 %, and the small
// sample's own shortfall), and the paired interval of two equally good scores holds 0.
func TestIntervalsCover(t *testing.T) {
	const draws, n, replicates = 300, 80, 400
	truth := 50 * math.Erfc(-1/math.Sqrt2/math.Sqrt2)
	rng := rand.New(rand.NewPCG(7, 8))
	var held, heldPaired int
	for range draws {
		var sets [2][2][]float64 // score, side
		for i := range 2 * n {
			side, common := i/n, rng.NormFloat64()
			shift := 1 - float64(side)
			for k := range sets {
				sets[k][side] = append(sets[k][side], shift+math.Sqrt(0.7)*common+math.Sqrt(0.3)*rng.NormFloat64())
			}
		}
		a, b := newRanking(sets[0][0], sets[0][1]), newRanking(sets[1][0], sets[1][1])
		seed := rng.Uint64()
		id, out := make([]uint16, n), make([]uint16, n)
		var x, y [numMetrics]float64
		var own, paired []float64
		for r := range uint32(replicates) {
			resample(id, seed, 1, r)
			resample(out, seed, 2, r)
			a.measure(id, out, &x)
			b.measure(id, out, &y)
			own, paired = append(own, x[0]), append(paired, x[0]-y[0])
		}
		if low, high := central95(own); low <= truth && truth <= high {
			held++
		}
		if low, high := central95(paired); low <= 0 && 0 <= high {
			heldPaired++
		}
	}
	for name, k := range map[string]int{"AUROC": held, "paired difference": heldPaired} {
		if share := float64(k) / draws; share < 0.91 || share > 0.99 {
			t.Errorf("the interval of the %s holds the truth in %.1f %% of draws", name, 100*share)
		}
	}
}

func TestPerfectBound(t *testing.T) {
	// With one pair an AUROC of 5 % would be observed as 100 % in 5 % of draws; with 10,000 pairs the bound is that of the rule of three.
	if b := perfectBound(1, 9); math.Abs(b-0.05) > 1e-15 {
		t.Errorf("bound %g of one pair", b)
	}
	if b := perfectBound(10000, 20000); math.Abs(1-b-3e-4) > 1e-6 {
		t.Errorf("bound 1 - %g of 10,000 pairs", 1-b)
	}
}

// BenchmarkBootstrap: 2,000 replicates over 10,000 ID and 10,000 OOD rows for one score, all metrics.
func BenchmarkBootstrap(b *testing.B) {
	const n, replicates = 10_000, 2000
	rng := rand.New(rand.NewPCG(9, 10))
	id, out := make([]float64, n), make([]float64, n)
	for i := range n {
		id[i], out[i] = 1+rng.NormFloat64(), rng.NormFloat64()
	}
	var r Result
	r.NID = n
	r.NOOD.Set("noise", n)
	for b.Loop() {
		c := &cell{set: "noise", ranking: newRanking(id, out)}
		for k := range c.drawn {
			c.drawn[k] = make([]float64, replicates)
		}
		if err := bootstrap(b.Context(), []*cell{c}, r.NID, r.NOOD, IntervalOptions{Replicates: replicates, Seed: 1}); err != nil {
			b.Fatal(err)
		}
	}
}
