package stats

import (
	"context"

	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
)

// Given gives a source over src whose moments were taken when its rows were made. A sweep on threads goroutines (0: one a processor) counts what is beside them in
// [Sums], once, for the head of the first that asks.
func Given(src analysis.Source, moments Sums, threads int) Summed {
	return &remembered{Source: src, take: func(ctx context.Context, head *analysis.Head) (*Sums, error) {
		if head.C != moments.C || head.D != moments.D {
			return &moments, nil // refused by Collect
		}
		var err error
		moments.Tally, err = count(ctx, src, head, threads)
		return &moments, err
	}}
}

// count is the tally of all rows of src.
func count(ctx context.Context, src analysis.Source, head *analysis.Head, threads int) (Tally, error) {
	c, d, check := head.C, head.D, analysis.NewHeadCheck(head)
	total := newTally(d)
	err := analysis.Stages[Tally]{
		Work: func(b *analysis.Block) (Tally, error) {
			square := make([]float64, b.N)
			for i := range square {
				x := b.Features[i*d : (i+1)*d]
				square[i] = floats.Dot(x, x)
			}
			return tally(b, square, check, c, d), nil
		},
		Then: func(_ *analysis.Block, t Tally) error {
			total.add(&t)
			return nil
		},
	}.Sweep(ctx, analysis.WithLogits(src, head), analysis.WorkRows, threads)
	return total, err
}
