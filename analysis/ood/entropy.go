package ood

import (
	"errors"
	"math"
)

// entropy ranks as sum p log p, the negative entropy H of the softmax, by -log H: H itself rounds to 0 where the network is sure.
var entropy = Detector{
	Name:     "entropy",
	Formula:  "-log H, H = -sum_c p_c log p_c; monotone in sum p log p",
	Source:   "entropy of the softmax (C. Shannon, 1948)",
	Pitfalls: "the value is -log of the entropy in nats, not the entropy: exp(-score) is. pytorch-ood clips p at 1e-7, so its sure rows tie",
	New: func(f *Fit, _ Settings) (Scorer, error) {
		if f.Head.C < 2 {
			return nil, errors.New("one class has no entropy")
		}
		return perLogits(negLogEntropy), nil
	},
}

// negLogEntropy is -log H with the second largest probability taken out of every term. With g_j = l_m - l_j and delta = sum_{j != m} e^-g_j,
// H = log1p(delta) + sum_{j != m} e^-g_j g_j / (1 + delta).
func negLogEntropy(l []float64, p peak) float64 {
	var t float64 // sum of e^(gap-g_j) g_j
	for j, x := range l {
		if j != p.m {
			g := p.top - x
			t += math.Exp(p.gap-g) * g
		}
	}
	delta := p.against()
	share := 1.0 // log1p(delta)/delta, 1 where delta has underflowed
	if delta > 0 {
		share = math.Log1p(delta) / delta
	}
	return p.gap - math.Log(p.others*share+t/(1+delta))
}
