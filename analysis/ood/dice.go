package ood

import (
	"errors"
	"math"
	"slices"

	"nctrain/analysis"
)

// dice keeps the weights that contribute most.
var dice = Detector{
	Name: "dice", Fit: FitTrain,
	Formula:  "energy of (W * mask) h + b, the mask keeps W_cj whose contribution W_cj mean(h_j) lies above the quantile 1 - keep of all contributions",
	Source:   "Y. Sun, Y. Li, ECCV 2022",
	Pitfalls: "one quantile for all classes: a class of small contributions may lose every weight and keep its bias alone; contributions equal to the quantile are masked",
	Params:   []Param{{Key: "keep", Kind: Share, Default: 0.3, Doc: "share of the weights that are kept; 1 keeps all"}},
	New: func(f *Fit, p Settings) (Scorer, error) {
		mean := f.Class.MeanOfRows()
		contribution := make([]float64, len(f.Head.Weight))
		for i, w := range f.Head.Weight {
			contribution[i] = w * mean[i%f.Head.D]
		}
		floor := math.Inf(-1)
		if p["keep"] < 1 {
			sorted := slices.Sorted(slices.Values(contribution))
			floor = quantileOf(sorted, 1-p["keep"])
		}
		masked, s := *f.Head, diceScorer{}
		masked.Weight = make([]float64, len(contribution))
		for i, x := range contribution {
			if x > floor {
				masked.Weight[i] = f.Head.Weight[i]
				s.kept++
			}
		}
		if s.kept == 0 {
			return nil, errors.New("no weight contributes more than the quantile: every row would get the energy of the bias")
		}
		s.shapedEnergy = shapedEnergy{&masked, func([]float64) {}}
		return &s, nil
	},
}

type diceScorer struct {
	shapedEnergy
	kept int
}

func (s *diceScorer) Report(v *analysis.Values) { v.Set("weights_kept", float64(s.kept)) }
