package ood

import (
	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
	"nctrain/internal/scratch"
)

// nci measures how near a feature, seen from the training mean, lies to the weights of its class.
var nci = Detector{
	Name: "nci", Fit: FitTrain,
	Formula: "(h-mu).w_m / ||h-mu|| + a ||h||_1, mu the mean of training rows",
	Source:  "L. Liu, Y. Qin, 2023 (arXiv:2311.01479)",
	Pitfalls: "not divided by ||w_m||, as published; a weighs a norm that grows with D and with the scale of the features against a term that does not. A row equal to mu has no direction and " +
		"keeps the norm alone. pytorch-ood's default is a = 0",
	Params: []Param{{Key: "a", Kind: Real, Default: 1e-4, Doc: "weight of ||h||_1"}},
	New: func(f *Fit, p Settings) (Scorer, error) {
		return &nciScorer{f.Head, f.Class.MeanOfRows(), p["a"]}, nil
	},
}

type nciScorer struct {
	head *analysis.Head
	mean []float64
	a    float64
}

func (s *nciScorer) Score(b *Rows, out []float64) {
	d := s.head.D
	centred := less(b.Features, s.mean, b.N)
	defer scratch.Give(centred)
	for i, norm := range rowNorms(centred, b.N) {
		out[i] = s.a * floats.Norm(b.Features[i*d:(i+1)*d], 1)
		if norm > 0 {
			m := b.Top[i]
			out[i] += floats.Dot(centred[i*d:(i+1)*d], s.head.Weight[m*d:(m+1)*d]) / norm
		}
	}
}
