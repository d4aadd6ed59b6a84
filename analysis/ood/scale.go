package ood

import "gonum.org/v1/gonum/floats"

// scale multiplies a row by how much of it lies outside its largest activations.
var scale = Detector{
	Name:    "scale",
	Formula: "asinh(energy) after h -> h exp(sum(h)/sum of the k largest), nothing pruned, k = D - round-half-even(D p)",
	Source:  "K. Xu et al., ICLR 2024",
	Pitfalls: "needs features of one sign (after ReLU); the score is asinh of the energy, which the factor can push beyond float64 where few activations are kept; " +
		"a row whose k largest sum to 0 is not scaled. pytorch-ood's default is p = 0.65",
	Params: []Param{{Key: "percentile", Kind: Share, Default: 0.85, Doc: "share p of the activations of a row outside the k largest"}},
	New: func(f *Fit, p Settings) (Scorer, error) {
		k := keptOf(f.Head.D, p["percentile"])
		return scaledEnergy{f.Head, func(row []float64) float64 {
			var top float64
			for j, kept := range largest(row, k) {
				if kept {
					top += row[j]
				}
			}
			return ratio(floats.Sum(row), top)
		}}, nil
	},
}
