package ood

import (
	"math"
	"slices"

	"nctrain/analysis"
)

// shapedEnergy is the energy of the logits that the head gives for features changed by shape.
type shapedEnergy struct {
	head  *analysis.Head
	shape func(row []float64)
}

func (s shapedEnergy) Score(b *Rows, out []float64) {
	c, d := s.head.C, s.head.D
	x := slices.Clone(b.Features[:b.N*d])
	for i := range b.N {
		s.shape(x[i*d : (i+1)*d])
	}
	logits := make([]float64, b.N*c)
	s.head.Logits(logits, x, b.N)
	for i := range out {
		out[i] = logSumExp(logits[i*c : (i+1)*c])
	}
}

// scaledEnergy ranks as the energy E of the logits e^r W h + b for features changed by shape, which also gives the logarithm r of their factor. The score is asinh(E), monotone
// in E: e^r overflows where few activations carry little of the sum.
type scaledEnergy struct {
	head  *analysis.Head
	shape func(row []float64) (r float64)
}

func (s scaledEnergy) Score(b *Rows, out []float64) {
	c, d := s.head.C, s.head.D
	x := slices.Clone(b.Features[:b.N*d])
	factors := make([]float64, b.N)
	for i := range b.N {
		factors[i] = s.shape(x[i*d : (i+1)*d])
	}
	plain := analysis.Head{C: c, D: d, Weight: s.head.Weight} // the bias is not scaled
	products := make([]float64, b.N*c)
	plain.Logits(products, x, b.N)
	for i, r := range factors {
		out[i] = asinhEnergy(products[i*c:(i+1)*c], s.head.Bias, r)
	}
}

// asinhEnergy is asinh(logsumexp_c(e^r a_c + b_c)); b may be nil.
func asinhEnergy(a, b []float64, r float64) float64 {
	const large = 600 // e^600 times any logit is finite, and beside it neither bias nor second logit counts
	top := a[analysis.Argmax(a)]
	if r > large && top != 0 {
		return math.Copysign(r+math.Log(2*math.Abs(top)), top)
	}
	logits := make([]float64, len(a))
	for c, x := range a {
		logits[c] = x * math.Exp(r)
		if r > large { // top is 0: the others are far below and vanish
			logits[c] = 0
			if x < 0 {
				logits[c] = -math.MaxFloat64
			}
		}
		if b != nil {
			logits[c] += b[c]
		}
	}
	return math.Asinh(logSumExp(logits))
}
