package ood

import (
	"context"
	"fmt"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// scorers by detector in reporting order.
type scorers = analysis.Ordered[Scorer]

// scoredRows is what is known of the rows of a block when they are scored.
type scoredRows struct {
	scores    [][]float64 // by detector and row
	predicted []int       // argmax of the logits of each row
	mismatch  analysis.HeadMismatch
	found
}

// found is what a search for the rows of a block in other sets found.
type found struct {
	hashes      []uint64
	inFit, inID []int // rows of the block that occur in a fit set, in the ID set
}

// scoreRows sweeps src for the scores of its rows, which it hands to visit in order, with what search (nil: nothing is looked for) finds of them. It gives how far the
// logits are from the head's, and a warning where that is more than rounding; an error where the head is not that of the rows, or a row is not finite.
func scoreRows(ctx context.Context, src analysis.Source, head *analysis.Head, ready scorers, search func(*analysis.Block) found, threads int,
	visit func(*analysis.Block, scoredRows) error) (mismatch analysis.HeadMismatch, warning string, err error) {
	src = analysis.WithLogits(src, head)
	info, check := src.Info(), analysis.NewHeadCheck(head)
	c, d := info.C, info.D
	err = analysis.Stages[scoredRows]{
		Work: func(b *analysis.Block) (r scoredRows, err error) {
			if search != nil {
				r.found = search(b) // first, while the rows are in the cache
			}
			rows := newRows(b, c)
			r.predicted = rows.Top
			for i := range b.N {
				if array := stats.Hole(b.Features[i*d:(i+1)*d], rows.logits(i)); array != "" {
					return r, fmt.Errorf("analysis: %s: row %d (%s) holds NaN or Inf: %s", info.Name, b.Start+i, array, stats.HolesWayOut)
				}
			}
			r.mismatch = check.Mismatch(b.Features, b.Logits, b.N, b.Start)
			for _, scorer := range ready.All() {
				out := make([]float64, b.N)
				scorer.Score(rows, out)
				r.scores = append(r.scores, out)
			}
			return r, nil
		},
		Then: func(b *analysis.Block, r scoredRows) error {
			mismatch.Merge(r.mismatch)
			return visit(b, r)
		},
	}.Sweep(ctx, src, analysis.WorkRows, threads)
	if err == nil {
		warning, err = mismatch.Judge(head, info)
	}
	return mismatch, warning, err
}
