package ood

import (
	"errors"
	"math"
)

// msp ranks as the maximum softmax probability p_m, by its log-odds log(p_m/(1-p_m)) = l_m - logsumexp_{j != m} l_j: where the network is sure, p_m itself and
// even l_m - logsumexp l round to a constant.
var msp = Detector{
	Name: "msp", Notebook: true,
	Formula:  "l_m - logsumexp_{j != m} l_j, monotone in max softmax",
	Source:   "D. Hendrycks, K. Gimpel, ICLR 2017",
	Pitfalls: "overconfident networks give OOD rows large values too; the value is a log-odds, not a probability",
	New: func(f *Fit, _ Settings) (Scorer, error) {
		if f.Head.C < 2 {
			return nil, errors.New("one class leaves no log-odds")
		}
		return perLogits(func(_ []float64, p peak) float64 { return p.logOdds() }), nil
	},
}

// mspNotebook is the notebook's: softmax in float32, which saturates at 1.
var mspNotebook = Detector{
	Name:     "msp@notebook",
	Formula:  "max softmax in float32",
	Source:   "the notebook's OODScorer.score",
	Pitfalls: "saturates at 1 in float32: many rows tie, and thresholds fall among them",
	New: func(*Fit, Settings) (Scorer, error) {
		return perLogits(softmax32), nil
	},
}

// perLogits is a score of the logits of one row alone.
type perLogits func(l []float64, p peak) float64

func (score perLogits) Score(b *Rows, out []float64) {
	for i := range out {
		out[i] = score(b.logits(i), b.peak(i))
	}
}

func softmax32(l []float64, p peak) float64 {
	top := float32(p.top)
	var sum float32
	for _, x := range l {
		sum += float32(math.Exp(float64(float32(x) - top)))
	}
	return float64(1 / sum)
}
