package ood

import (
	"math"

	"nctrain/analysis"
)

// energy is the logsumexp of the logits (minus the free energy at temperature 1).
var energy = Detector{
	Name: "energy", Notebook: true,
	Formula:  "logsumexp_c l_c",
	Source:   "W. Liu et al., NeurIPS 2020",
	Pitfalls: "depends on a common shift of the logits, which the softmax does not see; close to the largest logit where the network is sure",
	New: func(f *Fit, _ Values) (Scorer, error) {
		return perLogits{f.Head.C, logSumExp}, nil
	},
}

// logSumExp adds log1p of the other terms to the largest, so that what they contribute is not lost next to 1.
func logSumExp(l []float64) float64 {
	top := analysis.Argmax(l)
	var others float64
	for j, x := range l {
		if j != top {
			others += math.Exp(x - l[top])
		}
	}
	return l[top] + math.Log1p(others)
}
