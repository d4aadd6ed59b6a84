package ood

import (
	"fmt"

	"nctrain/analysis"
)

// vra zeroes small activations and clips large ones.
var vra = Detector{
	Name: "vra", Fit: FitTrain,
	Formula: "energy after h -> 0 under the low percentile, h -> t over the high percentile t, of all training activations",
	Source:  "M. Xu et al., NeurIPS 2023 (VRA)",
	Pitfalls: "where more than the low share of activations is 0 (ReLU) the low threshold is 0 and only clipping is left: that is react. The authors' code takes " +
		"the percentiles unit by unit, 0.6 and 0.9 for CIFAR-10, 0.6 and 0.95 for CIFAR-100; so does pytorch-ood, with 0.01 and 0.99, which clips from below instead of zeroing",
	Params: []Param{
		{Key: "low", Kind: Share, Default: 0.1, Doc: "share of training activations that are set to 0"},
		{Key: "high", Kind: Share, Default: 0.9, Doc: "share of training activations under the threshold t"},
	},
	Learn: func(f *Fit, p Settings) (Learner, error) {
		if p["low"] > p["high"] {
			return nil, fmt.Errorf("vra.low = %g is above vra.high = %g", p["low"], p["high"])
		}
		s := &vraScorer{quantiles: newQuantiles(f.Class.N()*int64(f.Head.D), f.Info.Type, p["low"], p["high"])}
		s.shapedEnergy = shapedEnergy{f.Head, func(row []float64) {
			for j, x := range row {
				switch {
				case x < s.values[0]:
					row[j] = 0
				case x > s.values[1]:
					row[j] = s.values[1]
				}
			}
		}}
		return s, nil
	},
}

type vraScorer struct {
	*quantiles
	shapedEnergy
}

func (s *vraScorer) Report(v *analysis.Values) {
	v.Set("low_threshold", s.values[0])
	v.Set("high_threshold", s.values[1])
	if s.values[0] == 0 {
		v.Warn("the low threshold is 0: of ReLU features nothing is set to 0, and the score is react's: give a larger vra.low (the authors: 0.6)")
	}
}
