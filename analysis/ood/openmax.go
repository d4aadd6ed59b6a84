package ood

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
)

// openmax takes from each of the leading logits the share that an extreme-value fit says is unknown.
var openmax = Detector{
	Name: "openmax", Fit: FitTrain,
	Formula: "logsumexp_c (l_c (1 - w_c)) - sum_c l_c w_c, monotone in 1 - unknown mass; w_c = (alpha - rank)/alpha times the Weibull probability of ||l - m_c||, m_c the mean logits of correct " +
		"training rows, the Weibull fitted by maximum likelihood to their tail largest distances (shifted as libMR does)",
	Source: "A. Bendale, T. Boult, CVPR 2016",
	Pitfalls: "negative logits turn the sign of what is taken away, as published; a class without correct training rows counts as wholly unknown; Euclidean distance (the authors also mix in a cosine). " +
		"pytorch-ood fits by Nelder-Mead, clips logits at 709 and sets the distance to classes that the batch never predicts to 0",
	Params: []Param{
		{Key: "tail", Kind: Whole, Default: 20, Least: 2, Doc: "largest distances of a class that the Weibull is fitted to"},
		{Key: "alpha", Kind: Whole, Default: 10, Least: 1, Doc: "leading logits that are revised (all where there are fewer classes)"},
	},
	Learn: func(f *Fit, p Settings) (Learner, error) {
		if f.Class.N() == 0 {
			return nil, errors.New("there are no rows to fit")
		}
		c := f.Head.C
		return &openmaxScorer{c: c, tail: p.whole("tail"), alpha: min(p.whole("alpha"), c), means: newCorrectMeans(c, c), tails: make([][]float64, c)}, nil
	},
}

// openmaxScorer learns means of logits in its first sweep and tails of distances in its second.
type openmaxScorer struct {
	c, tail, alpha int
	means          *correctMeans
	haveMeans      bool
	tails          [][]float64 // largest distances by class, ascending
	fits           []weibull
	empty          int
	done           bool
}

func (s *openmaxScorer) Observe(b *analysis.Block) {
	for i, label := range b.Labels {
		l := b.Logits[i*s.c : (i+1)*s.c]
		if !s.haveMeans {
			s.means.add(l, l, label)
			continue
		}
		if int64(analysis.Argmax(l)) != label {
			continue
		}
		x := floats.Distance(l, s.means.of(int(label)), 2)
		at, _ := slices.BinarySearch(s.tails[label], x)
		s.tails[label] = slices.Insert(s.tails[label], at, x)
		if len(s.tails[label]) > s.tail {
			s.tails[label] = slices.Delete(s.tails[label], 0, 1)
		}
	}
}

func (s *openmaxScorer) Finish() error {
	if !s.haveMeans {
		s.empty, _ = s.means.finish()
		s.haveMeans = true
		if s.empty == s.c {
			return errors.New("no training row is classified correctly: there is no mean to measure from")
		}
		return nil
	}
	s.done = true
	for _, tail := range s.tails {
		s.fits = append(s.fits, fitWeibull(tail))
	}
	return nil
}

func (s *openmaxScorer) Again() bool { return !s.done }

func (s *openmaxScorer) Score(b *Rows, out []float64) {
	order := make([]int, s.c)
	for i := range out {
		l := b.logits(i)
		for k := range order {
			order[k] = k
		}
		slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(l[y], l[x]) })
		known := slices.Clone(l)
		var unknown float64
		for rank, k := range order[:s.alpha] {
			w := float64(s.alpha-rank) / float64(s.alpha) * s.fits[k].probability(floats.Distance(l, s.means.of(k), 2))
			known[k] -= l[k] * w
			unknown += l[k] * w
		}
		out[i] = logSumExp(known) - unknown
	}
}

func (s *openmaxScorer) Report(v *analysis.Values) {
	if s.empty > 0 {
		v.Warn("%d of %d classes have no correctly classified training row and count as wholly unknown", s.empty, s.c)
	}
}

// weibullShift is libMR's: the smallest distance of the tail is moved there before the fit, so that every distance is positive.
const weibullShift = 10000

// weibull is the distribution of the distances of one class.
type weibull struct {
	origin       float64 // smallest distance of the tail
	shape, scale float64 // scale as a logarithm
	// rows of the tail: without any nothing is known, and of equal ones the fit is a step.
	rows int
}

// probability that a distance is beyond what the class shows.
func (w weibull) probability(distance float64) float64 {
	switch {
	case w.rows == 0:
		return 1
	case math.IsInf(w.shape, 1):
		if distance > w.origin {
			return 1
		}
		return 0
	}
	z := distance - w.origin + weibullShift
	if z <= 0 {
		return 0
	}
	return -math.Expm1(-math.Exp(w.shape * (math.Log(z) - w.scale)))
}

// fitWeibull maximises the likelihood of an ascending tail. With y = log z less the largest, the shape k is the root of the increasing function
// sum y e^(k y) / sum e^(k y) - 1/k - mean y, and scale^k = mean z^k.
func fitWeibull(tail []float64) weibull {
	w := weibull{rows: len(tail), shape: math.Inf(1)}
	if len(tail) == 0 {
		return w
	}
	w.origin = tail[0]
	last := len(tail) - 1
	if tail[last] == tail[0] {
		return w
	}
	top := math.Log(tail[last] - tail[0] + weibullShift)
	y := make([]float64, len(tail))
	for i, x := range tail {
		// log1p keeps the digits of differences that are small beside the shift.
		y[i] = math.Log1p((x - tail[last]) / (tail[last] - tail[0] + weibullShift))
	}
	mean := floats.Sum(y) / float64(len(y))
	weights := func(k float64) (sum, first float64) {
		for _, v := range y {
			e := math.Exp(k * v)
			sum += e
			first += v * e
		}
		return sum, first
	}
	excess := func(k float64) float64 {
		sum, first := weights(k)
		return first/sum - 1/k - mean
	}
	// -1/y[0] is about the shape at which the whole range spans one e-fold.
	low, high := -1e-3/y[0], -1/y[0]
	for excess(high) < 0 {
		high *= 2
	}
	for excess(low) > 0 {
		low /= 2
	}
	for range 200 {
		middle := (low + high) / 2
		if middle <= low || middle >= high {
			break
		}
		if excess(middle) < 0 {
			low = middle
		} else {
			high = middle
		}
	}
	w.shape = low
	sum, _ := weights(w.shape)
	w.scale = top + math.Log(sum/float64(len(y)))/w.shape
	return w
}
