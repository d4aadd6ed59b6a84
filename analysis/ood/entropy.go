package ood

import (
	"errors"
	"math"

	"nctrain/analysis"
)

// entropy ranks as sum p log p, the negative entropy H of the softmax, by -log H: H itself rounds to 0 where the network is sure.
var entropy = Detector{
	Name:     "entropy",
	Formula:  "-log H, H = -sum_c p_c log p_c; monotone in sum p log p",
	Source:   "entropy of the softmax (C. Shannon, 1948)",
	Pitfalls: "the value is -log of the entropy in nats, not the entropy: exp(-score) is. pytorch-ood clips p at 1e-7, so its sure rows tie",
	New: func(f *Fit, _ Values) (Scorer, error) {
		if f.Head.C < 2 {
			return nil, errors.New("one class has no entropy")
		}
		return perLogits{f.Head.C, negLogEntropy}, nil
	},
}

// negLogEntropy is -log H with the second largest probability taken out of every term. With g_j = l_m - l_j and delta = sum_{j != m} e^-g_j,
// H = log1p(delta) + sum_{j != m} e^-g_j g_j / (1 + delta).
func negLogEntropy(l []float64) float64 {
	top := analysis.Argmax(l)
	gap := gapBehind(l, top)
	var s, t float64 // sums of e^(gap-g_j) and of that times g_j
	for j, x := range l {
		if j != top {
			g := l[top] - x
			e := math.Exp(gap - g)
			s += e
			t += e * g
		}
	}
	delta := math.Exp(-gap) * s
	share := 1.0 // log1p(delta)/delta, 1 where delta has underflowed
	if delta > 0 {
		share = math.Log1p(delta) / delta
	}
	return gap - math.Log(s*share+t/(1+delta))
}

// gapBehind is the distance from logit m to the largest of the others.
func gapBehind(l []float64, m int) float64 {
	gap := math.Inf(1)
	for j, x := range l {
		if j != m {
			gap = math.Min(gap, l[m]-x)
		}
	}
	return gap
}
