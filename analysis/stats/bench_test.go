package stats_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// BenchmarkCollect measures the one sweep: N D (D + 1) flop for the second moment and 2 N C D for the check of the head.
func BenchmarkCollect(b *testing.B) {
	for _, s := range []struct{ n, d, c int }{{5000, 64, 10}, {5000, 512, 100}} {
		b.Run(fmt.Sprintf("n=%d/d=%d/c=%d", s.n, s.d, s.c), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			features, labels, weight := make([]float32, s.n*s.d), make([]int64, s.n), make([]float32, s.c*s.d)
			for i := range features {
				features[i] = rng.Float32()
			}
			for i := range weight {
				weight[i] = rng.Float32()
			}
			for i := range labels {
				labels[i] = int64(rng.IntN(s.c))
			}
			head, err := analysis.NewHead("h", s.c, s.d, weight, nil, analysis.Meta{})
			if err != nil {
				b.Fatal(err)
			}
			src, err := analysis.NewMemory(analysis.Info{Name: "m"}, features, nil, labels)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, _, err := stats.Collect(b.Context(), src, head, 0); err != nil {
					b.Fatal(err)
				}
			}
			flop := float64(s.n) * float64(s.d) * float64(s.d+1+2*s.c)
			b.ReportMetric(flop*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
