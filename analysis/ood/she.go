package ood

import (
	"fmt"

	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
)

// she compares a feature with the stored pattern of its predicted class.
var she = Detector{
	Name: "she", Fit: FitTrain,
	Formula:  "h . S_m, S_c the mean of correctly classified training rows of class c",
	Source:   "J. Zhang et al., ICLR 2023",
	Pitfalls: "an inner product, so it grows with the norm of h; null where a class has no correctly classified training row, as early in training",
	Learn: func(f *Fit, _ Settings) (Learner, error) {
		return &sheScorer{f.Head.C, f.Head.D, newCorrectMeans(f.Head.C, f.Head.D)}, nil
	},
}

// correctMeans are the means of correctly classified rows by class.
type correctMeans struct {
	width int
	count []int
	mean  []float64 // [C,width], sums until finish
}

func newCorrectMeans(c, width int) *correctMeans {
	return &correctMeans{width, make([]int, c), make([]float64, c*width)}
}

// add takes a row of class label if its logits say so.
func (m *correctMeans) add(row, logits []float64, label int64) {
	if int64(analysis.Argmax(logits)) == label {
		m.count[label]++
		floats.Add(m.of(int(label)), row)
	}
}

// finish divides, and gives the number of classes without such rows and the first of them.
func (m *correctMeans) finish() (empty, first int) {
	for c := len(m.count) - 1; c >= 0; c-- {
		if m.count[c] == 0 {
			empty, first = empty+1, c
			continue
		}
		floats.Scale(1/float64(m.count[c]), m.of(c))
	}
	return empty, first
}

func (m *correctMeans) of(c int) []float64 { return m.mean[c*m.width : (c+1)*m.width] }

type sheScorer struct {
	c, d     int
	patterns *correctMeans
}

func (s *sheScorer) Observe(b *analysis.Block) {
	for i, label := range b.Labels {
		s.patterns.add(b.Features[i*s.d:(i+1)*s.d], b.Logits[i*s.c:(i+1)*s.c], label)
	}
}

func (s *sheScorer) Finish() error {
	if empty, first := s.patterns.finish(); empty > 0 {
		return fmt.Errorf("%d of %d classes, the first is class %d, have no correctly classified training row and so no pattern", empty, s.c, first)
	}
	return nil
}

func (s *sheScorer) Score(b *Rows, out []float64) {
	for i := range out {
		out[i] = floats.Dot(b.Features[i*s.d:(i+1)*s.d], s.patterns.of(b.Top[i]))
	}
}
