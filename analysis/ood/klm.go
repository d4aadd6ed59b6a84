package ood

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"nctrain/analysis"
)

// klm matches the softmax against the typical softmax of each predicted class.
var klm = Detector{
	Name: "klm", Fit: FitValOrTrain,
	Formula:  "-min_k KL(p || d_k), d_k the mean softmax of held-out rows predicted k; classes that are never predicted are left out",
	Source:   "D. Hendrycks et al., ICML 2022",
	Pitfalls: "grouped by prediction, not by label; on training rows the d_k are sharper than on any test row; a class that is never predicted has no d_k and cannot be matched",
	Learn: func(f *Fit, _ Settings) (Learner, error) {
		c := f.Head.C
		s := &klmScorer{c: c, count: make([]int, c), top: make([]float64, c*c), sum: make([]float64, c*c), missing: make([]float64, c)}
		for i := range s.top {
			s.top[i] = math.Inf(-1)
		}
		return s, nil
	},
}

type klmScorer struct {
	c     int
	count []int // rows predicted k
	// sum e^top [C,C]: sum of the softmax of rows predicted k, with its largest logarithm taken out so that nothing underflows. Not of p_k itself, which rounds to 1 where the
	// network is sure: missing [C] is the sum of 1 - p_k.
	top, sum []float64
	missing  []float64
	typical  []float64 // log d_k [K,C]
	k        int       // classes that are predicted
}

func (s *klmScorer) Observe(b *analysis.Block) {
	for i := range b.N {
		l := b.Logits[i*s.c : (i+1)*s.c]
		k := analysis.Argmax(l)
		p := peakOf(l, k)
		norm, against := p.logSumExp(), p.against()
		s.count[k]++
		s.missing[k] += against / (1 + against)
		top, sum := s.top[k*s.c:(k+1)*s.c], s.sum[k*s.c:(k+1)*s.c]
		for j, x := range l {
			if j == k {
				continue
			}
			if logP := x - norm; logP > top[j] {
				sum[j] = sum[j]*math.Exp(top[j]-logP) + 1
				top[j] = logP
			} else {
				sum[j] += math.Exp(logP - top[j])
			}
		}
	}
}

func (s *klmScorer) Finish() error {
	for k, n := range s.count {
		if n == 0 {
			continue
		}
		s.k++
		for j := range s.c {
			logD := math.Log1p(-s.missing[k] / float64(n))
			if j != k {
				logD = s.top[k*s.c+j] + math.Log(s.sum[k*s.c+j]) - math.Log(float64(n))
			}
			s.typical = append(s.typical, logD)
		}
	}
	if s.k == 0 {
		return errors.New("there are no rows to fit")
	}
	return nil
}

// Score takes KL(p || d_k) = sum p log p - p . log d_k. The largest p, and its share of d_k, have logarithms as small as what the others add, and are not to round to 0.
func (s *klmScorer) Score(b *Rows, out []float64) {
	p := make([]float64, b.N*s.c)
	negative := make([]float64, b.N) // sum p log p
	for i := range b.N {
		peak := b.peak(i)
		norm := peak.logSumExp()
		for j, x := range b.logits(i) {
			logP := x - norm
			if j == peak.m {
				logP = -math.Log1p(peak.against())
			}
			e := math.Exp(logP)
			p[i*s.c+j] = e
			negative[i] += e * logP
		}
	}
	cross := make([]float64, b.N*s.k)
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, blas64.General{Rows: b.N, Cols: s.c, Stride: s.c, Data: p},
		blas64.General{Rows: s.k, Cols: s.c, Stride: s.c, Data: s.typical}, 0, blas64.General{Rows: b.N, Cols: s.k, Stride: s.k, Data: cross})
	for i := range out {
		best := math.Inf(-1)
		for _, x := range cross[i*s.k : (i+1)*s.k] {
			best = math.Max(best, x)
		}
		out[i] = best - negative[i]
	}
}

func (s *klmScorer) Report(v *analysis.Values) {
	v.Set("classes", float64(s.k))
	if s.k < s.c {
		v.Warn("%d of %d classes are never predicted on the fit set and have no typical softmax", s.c-s.k, s.c)
	}
}
