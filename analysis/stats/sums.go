// Package stats takes class statistics in one sweep: counts, means, the within-class scatter and what follows from them, all in float64, with
// memory that does not grow with the number of rows.
//
// Every row is shifted by a value of its own class (the mean of the class's first rows) before its outer product is summed, and Chan's formula
// corrects for the difference between that value and the class mean at the end. A shift common to all classes is not enough: when classes have
// collapsed, S_W = S_T - S_B loses it to cancellation.
//
// Sources: T. Chan, G. Golub, R. LeVeque, "Algorithms for computing the sample variance", The American Statistician 37 (1983).
package stats

import (
	"context"
	"fmt"

	"nctrain/analysis"
)

// Sums is what one sweep leaves behind, before any correction. A device that accumulates on its own fills the same struct.
type Sums struct {
	// C classes, D features.
	C, D int
	// Count [C]: rows of each class.
	Count []int64
	// Shift [C,D]: the value that was subtracted from the rows of each class; any value near the class mean.
	Shift []float64
	// Sum [C,D]: sum over the rows of a class of (h - shift).
	Sum []float64
	// Square [C]: sum over the rows of a class of ||h - shift||^2.
	Square []float64
	// Second [D,D], symmetric, its upper triangle filled: sum over all rows of (h - shift)(h - shift)^T with each row's own shift.
	Second []float64
	Tally  Tally
}

// Tally is what the same sweep counts beside the moments.
type Tally struct {
	// Correct rows: argmax of the logits is the label.
	Correct int64
	// Holes: where there is one the moments mean nothing.
	Holes
	// MaxLogit is the sum over rows of the largest logit.
	MaxLogit float64
	// MaxAbs [D]: largest magnitude of each unit; 0 is a unit that is always zero.
	MaxAbs []float64
	// Mismatch of logits and head.
	Mismatch analysis.HeadMismatch
}

// newTally is that of no rows of d features.
func newTally(d int) Tally { return Tally{MaxAbs: make([]float64, d)} }

// add counts the rows of other after those of t.
func (t *Tally) add(other *Tally) {
	t.Holes.Merge(other.Holes)
	t.Correct += other.Correct
	t.MaxLogit += other.MaxLogit
	for j, x := range other.MaxAbs {
		t.MaxAbs[j] = max(t.MaxAbs[j], x)
	}
	t.Mismatch.Merge(other.Mismatch)
}

// Summed is a source whose sums are there already, accumulated by whoever made the rows.
type Summed interface {
	analysis.Source
	// Sums gives the sums over all rows of the source for the classes of head.
	Sums(ctx context.Context, head *analysis.Head) (*Sums, error)
}

// Collect gives the class moments and the tally of src for the classes of head: from the source's own sums where it is Summed, and otherwise from
// one sweep on threads goroutines (0: one a processor). The numbers do not depend on threads, nor on the blocks in which src hands over its rows.
func Collect(ctx context.Context, src analysis.Source, head *analysis.Head, threads int) (*Class, *Tally, error) {
	var sums *Sums
	var err error
	if s, ok := src.(Summed); ok {
		sums, err = s.Sums(ctx, head)
	} else {
		sums, err = sweep(ctx, src, head, threads)
	}
	if err != nil {
		return nil, nil, err
	}
	if sums.C != head.C || sums.D != head.D {
		return nil, nil, fmt.Errorf("analysis: %s: sums for %d classes and %d features do not fit the head %s, weight [%d,%d]: take both from one checkpoint",
			src.Info().Name, sums.C, sums.D, head.Name, head.C, head.D)
	}
	return sums.Class(), &sums.Tally, nil
}

func sweep(ctx context.Context, src analysis.Source, head *analysis.Head, threads int) (*Sums, error) {
	acc := NewAccumulator(head.C, head.D, head, threads)
	if err := acc.Sweep(ctx, analysis.WithLogits(src, head), nil); err != nil {
		return nil, err
	}
	return acc.Sums(), nil
}
