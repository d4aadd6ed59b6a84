package ood

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
)

// temperature is msp of the calibrated softmax.
var temperature = Detector{
	Name: "temperature", Fit: FitVal,
	Formula: "log-odds of the largest softmax probability of l/T, T minimises the negative log-likelihood of held-out rows",
	Source:  "C. Guo et al., ICML 2017",
	Pitfalls: "T needs held-out rows: on training rows it measures memory. Where every held-out row is classified correctly the NLL falls for T -> 0 and has no minimum. " +
		"pytorch-ood stops L-BFGS after 50 small steps, short of the minimum",
	Learn: func(f *Fit, _ Settings) (Learner, error) {
		if f.Head.C < 2 {
			return nil, errors.New("one class leaves no log-odds")
		}
		return &temperatureScorer{c: f.Head.C, beta: 1, high: math.Inf(1)}, nil
	},
}

// temperatureScorer finds beta = 1/T by Newton's method inside a bracket, one sweep a step: the mean NLL is convex in beta, with derivative
// mean(E_p[l] - l_y) and second derivative mean(Var_p[l]).
type temperatureScorer struct {
	c         int
	beta      float64
	low, high float64 // bracket of beta
	round     int
	done      bool
	// Of the sweep in progress: sums of the derivatives, and of the first derivative's limits for beta -> 0 and beta -> inf.
	slope, curve, flat, sharp float64
}

func (s *temperatureScorer) Observe(b *analysis.Block) {
	p := make([]float64, s.c)
	for i, label := range b.Labels {
		l := b.Logits[i*s.c : (i+1)*s.c]
		top := l[analysis.Argmax(l)]
		var sum float64
		for j, x := range l {
			p[j] = math.Exp(s.beta * (x - top))
			sum += p[j]
		}
		var mean, square float64 // of l - l_y
		for j, x := range l {
			mean += p[j] / sum * (x - l[label])
		}
		for j, x := range l {
			e := x - l[label] - mean
			square += p[j] / sum * e * e
		}
		s.slope += mean
		s.curve += square
		s.flat += floats.Sum(l)/float64(s.c) - l[label]
		s.sharp += top - l[label]
	}
}

func (s *temperatureScorer) Finish() error {
	const (
		rounds    = 100
		tolerance = 1e-12
	)
	if s.round == 0 {
		if s.sharp == 0 {
			return errors.New("no temperature minimises the NLL: every held-out row is classified correctly, so it falls for T -> 0: give more val rows")
		}
		if s.flat >= 0 {
			return errors.New("no temperature minimises the NLL: the logits of held-out rows are no better than none, so it falls for T -> inf: take a trained checkpoint")
		}
	}
	s.round++
	if s.slope > 0 {
		s.high = s.beta
	} else {
		s.low = s.beta
	}
	next := s.beta - s.slope/s.curve
	s.done = math.Abs(next-s.beta) <= tolerance*s.beta || s.round == rounds
	if !s.done && !(next > s.low && next < s.high) { // Newton has left the bracket, or the curvature has underflowed
		next = (s.low + s.high) / 2
		if math.IsInf(s.high, 1) {
			next = 2 * s.beta
		}
	}
	s.beta = next
	s.slope, s.curve, s.flat, s.sharp = 0, 0, 0, 0
	return nil
}

func (s *temperatureScorer) Again() bool { return !s.done }

func (s *temperatureScorer) Score(b *Rows, out []float64) {
	scaled := make([]float64, s.c)
	for i := range out {
		floats.ScaleTo(scaled, s.beta, b.logits(i))
		out[i] = peakOf(scaled, analysis.Argmax(scaled)).logOdds()
	}
}

func (s *temperatureScorer) Report(v *analysis.Values) { v.Set("temperature", 1/s.beta) }
