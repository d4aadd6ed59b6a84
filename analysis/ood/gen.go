package ood

import (
	"errors"
	"math"
	"slices"
)

// gen ranks as minus the generalised entropy G, by -log G: (1 - p)^g rounds to a constant where the network is sure.
var gen = Detector{
	Name:    "gen",
	Formula: "-log G, G = sum over the M largest p of p^gamma (1-p)^gamma; monotone in -G",
	Source:  "X. Liu, Y. Lochman, C. Zach, CVPR 2023",
	Pitfalls: "the value is -log of the generalised entropy; M cuts the tail where there are more classes. pytorch-ood takes the mean over all classes and clips p at 1e-7, " +
		"so its sure rows tie",
	Params: []Param{
		{Key: "gamma", Kind: Real, Default: 0.1, Doc: "exponent; must be positive"},
		{Key: "m", Kind: Whole, Default: 100, Least: 1, Doc: "largest probabilities that are summed (all where there are fewer classes)"},
	},
	New: func(f *Fit, p Settings) (Scorer, error) {
		gamma, m := p["gamma"], min(p.whole("m"), f.Head.C)
		if f.Head.C < 2 || gamma == 0 {
			return nil, errors.New("one class, or gamma 0, gives every row the same score")
		}
		return perLogits(func(l []float64, p peak) float64 { return negLogGen(l, p, gamma, m) }), nil
	},
}

func negLogGen(l []float64, p peak, gamma float64, m int) float64 {
	// log(delta), delta = sum_{j != m} e^(l_j - l_m), does not underflow; log p_m = -log1p(delta), log(1 - p_m) = log delta - log1p(delta).
	logDelta := -p.logOdds()
	logTop := -math.Log1p(math.Exp(logDelta))
	terms := []float64{gamma * (2*logTop + logDelta)}
	rest := make([]float64, 0, len(l)-1)
	for j, x := range l {
		if j != p.m {
			rest = append(rest, x-p.top+logTop)
		}
	}
	slices.Sort(rest)
	for _, logP := range rest[len(rest)-(m-1):] {
		terms = append(terms, gamma*(logP+math.Log1p(-math.Exp(logP))))
	}
	return -logSumExp(terms)
}
