package ood

import (
	"math"

	"nctrain/analysis"
)

// react clips activations before the head.
var react = Detector{
	Name: "react", Fit: FitTrain,
	Formula:  "energy of W min(h, t) + b, t the percentile of all training activations",
	Source:   "Y. Sun, C. Guo, Y. Li, NeurIPS 2021",
	Pitfalls: "one threshold for all units; under collapse few units carry each class and clipping them takes the class away",
	Params:   []Param{{Key: "percentile", Kind: Share, Default: 0.9, Doc: "share of training activations under the threshold t"}},
	Learn: func(f *Fit, p Settings) (Learner, error) {
		s := &reactScorer{quantiles: newQuantiles(f.Class.N()*int64(f.Head.D), f.Info.Type, p["percentile"])}
		s.shapedEnergy = shapedEnergy{f.Head, func(row []float64) {
			for j, x := range row {
				row[j] = math.Min(x, s.values[0])
			}
		}}
		return s, nil
	},
}

type reactScorer struct {
	*quantiles
	shapedEnergy
}

func (s *reactScorer) Report(v *analysis.Values) { v.Set("threshold", s.values[0]) }
