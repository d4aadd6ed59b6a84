package ood

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"

	"nctrain/analysis"
)

// Threshold accepts rows whose score is at least Value.
type Threshold struct {
	Value float64
	// Acceptance asked for, a share of ID rows, and Rank of the held-out row (from the smallest) whose score is the value, of N.
	Acceptance float64
	Rank       int
	N          int
	// Low and High hold the true share of ID rows that is accepted with probability 95 % over the choice of held-out rows: it has the distribution Beta(N+1-Rank, Rank).
	Low  float64
	High float64
}

// ConformalThreshold chooses the threshold at which at least a share of acceptance of new ID rows is accepted, on average over held-out rows: the score of rank floor((1-acceptance)(n+1))
// from the smallest (V. Vovk, A. Gammerman, G. Shafer, 2005; the Beta law: V. Vovk, ACML 2012, for continuous scores, and a larger share is accepted where they tie). The scores
// must be of rows that neither network nor detector has seen. An error where there are too few for that acceptance.
func ConformalThreshold(heldOut []float64, acceptance float64) (t Threshold, err error) {
	if !(acceptance > 0 && acceptance < 1) {
		return t, fmt.Errorf("analysis: ood: threshold at an ID acceptance of %g: give a share between 0 and 1", acceptance)
	}
	n := len(heldOut)
	// (1-acceptance)(n+1) can come out just under a whole number: 0.05 of 100 is 5.
	k := int(math.Floor((1-acceptance)*float64(n+1) + 1e-9))
	if k < 1 {
		return t, fmt.Errorf("analysis: ood: %d held-out rows are too few for an ID acceptance of %g: give at least %.0f", n, acceptance, math.Ceil(1/(1-acceptance)-1e-9)-1)
	}
	for i, x := range heldOut {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return t, fmt.Errorf("analysis: ood: the score of held-out row %d is %g", i, x)
		}
	}
	sorted := slices.Sorted(slices.Values(heldOut))
	a, b := float64(n+1-k), float64(k)
	return Threshold{Value: sorted[k-1], Acceptance: acceptance, Rank: k, N: n, Low: mathext.InvRegIncBeta(a, b, 0.025), High: mathext.InvRegIncBeta(a, b, 0.975)}, nil
}

// thresholds fills Thresholds from the scores of the held-out rows.
func (r *Result) thresholds(ctx context.Context, o Options, ready scorers) error {
	if o.Val == nil {
		return errors.New("analysis: ood: a threshold needs held-out ID rows: give --val, or --val-fraction when training")
	}
	columns := make([][]float64, ready.Len())
	_, _, err := scoreRows(ctx, o.Val, o.Head, ready, nil, o.Threads, func(_ *analysis.Block, rows scoredRows) error {
		for k := range columns {
			columns[k] = append(columns[k], rows.scores[k]...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	id, _ := r.Scores.Get(IDName)
	for k, name := range ready.Keys() {
		t, err := ConformalThreshold(columns[k], o.ThresholdAt)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		v := analysis.Values{N: t.N}
		v.Set("threshold", t.Value)
		v.Set("acceptance", 100*t.Acceptance)
		v.SetPair("acceptance_ci95", 100*t.Low, 100*t.High)
		v.Set("rank", float64(t.Rank))
		scores, _ := id.Get(name)
		accepted := 0
		for _, x := range scores {
			if x >= t.Value {
				accepted++
			}
		}
		v.Set("id_accepted", 100*float64(accepted)/float64(max(1, len(scores))))
		if detector, _ := r.Detectors.Get(name); detector.Text("fit") == "val" {
			v.Warn("fitted on the rows that the threshold is taken from: the acceptance is not guaranteed")
		}
		r.Thresholds.Set(name, v)
	}
	return nil
}
