package ood

// energy is the logsumexp of the logits (minus the free energy at temperature 1).
var energy = Detector{
	Name: "energy", Notebook: true,
	Formula:  "logsumexp_c l_c",
	Source:   "W. Liu et al., NeurIPS 2020",
	Pitfalls: "depends on a common shift of the logits, which the softmax does not see; close to the largest logit where the network is sure",
	New: func(*Fit, Settings) (Scorer, error) {
		return perLogits(func(_ []float64, p peak) float64 { return p.logSumExp() }), nil
	},
}
