package stats

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"nctrain/analysis"
)

// Rows whose moments are given are counted as a sweep counts them, those with NaN too, on any number of threads; and what is given is handed on.
func TestGivenRowsAreCountedAsBySweep(t *testing.T) {
	const n, d, c = 3000, 7, 4
	rng := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = math.Round(8 * rng.NormFloat64()) // sums of largest logits are exact in any order
		}
		return out
	}
	head, err := analysis.NewHead("head", c, d, random(c*d), random(c), analysis.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	features, logits, labels := random(n*d), random(n*c), make([]int64, n)
	for i := range labels {
		labels[i] = int64(rng.IntN(c))
		features[i*d+3] = 0
	}
	for _, bad := range []int{-1, 2001} {
		if bad >= 0 {
			features[bad*d+1], logits[(bad+40)*c] = math.NaN(), math.Inf(1)
		}
		src, err := analysis.NewMemory(analysis.Info{Name: "rows"}, features, logits, labels)
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		_, want, err := Collect(ctx, src, head, 1)
		if err != nil {
			t.Fatal(err)
		}
		class, got, err := Collect(ctx, Given(src, Sums{C: c, D: d, Count: []int64{5, 6, 7, 8}, Shift: make([]float64, c*d), Sum: make([]float64, c*d), Square: make([]float64, c),
			Second: make([]float64, d*d)}, 3), head, 1)
		if err != nil {
			t.Fatal(err)
		}
		if class.N() != 26 {
			t.Errorf("the moments of %d rows, 26 were given", class.N())
		}
		if got.NonFinite != want.NonFinite || got.FirstNonFinite != want.FirstNonFinite || (bad >= 0) != (got.NonFinite == 2) {
			t.Errorf("%d rows of NaN from row %d on, want %d from %d", got.NonFinite, got.FirstNonFinite, want.NonFinite, want.FirstNonFinite)
		}
		if !reflect.DeepEqual(got, want) && bad < 0 || got.Correct != want.Correct || got.MaxLogit != want.MaxLogit || !reflect.DeepEqual(got.MaxAbs, want.MaxAbs) {
			t.Errorf("tally %+v, want %+v", got, want)
		}
	}
}
