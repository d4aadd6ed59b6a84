package ood

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
	"nctrain/internal/scratch"
)

// fdbd is the mean distance to the decision boundaries, relative to that from the training mean.
var fdbd = Detector{
	Name: "fdbd", Fit: FitTrain,
	Formula: "mean over c != m with w_c != w_m of (l_m - l_c)/||w_m - w_c||, over ||h - mu||, mu the mean of training rows",
	Source:  "L. Liu, Y. Qin, ICML 2024",
	Pitfalls: "two classes with equal weights have no boundary between them and are left out of the mean (pytorch-ood divides by zero there); ||h - mu|| is held above 1e-8, " +
		"so a row at the training mean scores very high",
	New: func(f *Fit, _ Settings) (Scorer, error) {
		c, d := f.Head.C, f.Head.D
		s := &fdbdScorer{c: c, mean: f.Class.MeanOfRows(), apart: make([]float64, c*c)}
		for i := range c {
			alone := true
			for j := range c {
				s.apart[i*c+j] = floats.Distance(f.Head.Weight[i*d:(i+1)*d], f.Head.Weight[j*d:(j+1)*d], 2)
				if i < j && s.apart[i*c+j] == 0 {
					s.equal++
				}
				alone = alone && s.apart[i*c+j] == 0
			}
			if alone {
				return nil, errors.New("all rows of the weight are equal: there are no decision boundaries")
			}
		}
		return s, nil
	},
}

type fdbdScorer struct {
	c     int
	mean  []float64
	apart []float64 // ||w_i - w_j|| [C,C]
	equal int       // pairs of classes with equal weights
}

func (s *fdbdScorer) Score(b *Rows, out []float64) {
	const nearest = 1e-8
	centred := less(b.Features, s.mean, b.N)
	defer scratch.Give(centred)
	for i, norm := range rowNorms(centred, b.N) {
		l, m := b.logits(i), b.Top[i]
		var sum, n float64
		for k, x := range l {
			if width := s.apart[m*s.c+k]; width > 0 {
				sum += (l[m] - x) / width
				n++
			}
		}
		out[i] = sum / n / math.Max(norm, nearest)
	}
}

func (s *fdbdScorer) Report(v *analysis.Values) {
	if s.equal > 0 {
		v.Warn("%d pairs of classes have equal weights and no boundary between them: left out of the mean", s.equal)
	}
}
