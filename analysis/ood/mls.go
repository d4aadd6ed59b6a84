package ood

// mls is the maximum logit.
var mls = Detector{
	Name: "mls", Notebook: true,
	Formula:  "max_c l_c",
	Source:   "D. Hendrycks et al., ICML 2022",
	Pitfalls: "depends on a common shift of the logits, which the softmax does not see",
	New: func(*Fit, Settings) (Scorer, error) {
		return mlsScorer{}, nil
	},
}

// mlsScorer needs no softmax.
type mlsScorer struct{}

func (mlsScorer) Score(b *Rows, out []float64) {
	for i := range out {
		out[i] = b.maxLogit(i)
	}
}
