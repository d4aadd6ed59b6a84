package stats

import (
	"context"

	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
)

// Tallier counts rows as they come by, as a sweep does that sums them: what [Sums] needs beside the moments that a device takes.
type Tallier struct {
	check *analysis.HeadCheck
	c, d  int
	sum   Tally
}

// NewTallier starts a count of rows whose logits are held against head.
func NewTallier(head *analysis.Head) *Tallier {
	return &Tallier{check: analysis.NewHeadCheck(head), c: head.C, d: head.D, sum: Tally{MaxAbs: make([]float64, head.D), FirstNonFinite: -1}}
}

// Add counts the rows of a block with logits, which come in order.
func (t *Tallier) Add(b *analysis.Block) {
	square := make([]float64, b.N)
	for i := range square {
		x := b.Features[i*t.d : (i+1)*t.d]
		square[i] = floats.Dot(x, x)
	}
	part := tally(b, square, t.c, t.d)
	part.Mismatch = t.check.Mismatch(b.Features, b.Logits, b.N, b.Start)
	t.sum.add(&part)
}

// Tally of the rows so far.
func (t *Tallier) Tally() Tally { return t.sum }

// Given gives a source over src whose sums were taken when its rows were made, for one head.
func Given(src analysis.Source, sums *Sums) Summed { return given{src, sums} }

type given struct {
	analysis.Source
	sums *Sums
}

func (g given) Sums(context.Context, *analysis.Head) (*Sums, error) { return g.sums, nil }
