package ood

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// gradnorm is the L1 norm of the gradient of the uniform cross-entropy by the weight of the head: (p - 1/C) h^T, whose absolute sum is a product.
var gradnorm = Detector{
	Name:     "gradnorm",
	Formula:  "||h||_1 sum_c |p_c - 1/C|, the L1 norm of d/dW of the cross-entropy from the uniform distribution to the softmax",
	Source:   "R. Huang, A. Geng, Y. Li, NeurIPS 2021",
	Pitfalls: "where the network is sure the second factor is constant and the score is the norm of the features alone; the bias is not among the parameters, as published",
	New: func(f *Fit, _ Settings) (Scorer, error) {
		return gradnormScorer{f.Head.C, f.Head.D}, nil
	},
}

type gradnormScorer struct{ c, d int }

func (s gradnormScorer) Score(b *Rows, out []float64) {
	for i := range out {
		norm := b.energy(i)
		var sum float64
		for _, x := range b.logits(i) {
			sum += math.Abs(math.Exp(x-norm) - 1/float64(s.c))
		}
		out[i] = floats.Norm(b.Features[i*s.d:(i+1)*s.d], 1) * sum
	}
}
