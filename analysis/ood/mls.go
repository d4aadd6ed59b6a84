package ood

import "nctrain/analysis"

// mls is the maximum logit.
var mls = Detector{
	Name: "mls", Notebook: true,
	Formula:  "max_c l_c",
	Source:   "D. Hendrycks et al., ICML 2022",
	Pitfalls: "depends on a common shift of the logits, which the softmax does not see",
	New: func(f *Fit, _ Values) (Scorer, error) {
		return perLogits{f.Head.C, func(l []float64) float64 { return l[analysis.Argmax(l)] }}, nil
	},
}
