package ood

import (
	"math"

	"nctrain/analysis"
)

// Rows is a block to be scored, with what several detectors want to know of its logits: found once, by the first that asks. It is used by one goroutine at a time.
type Rows struct {
	*analysis.Block
	// Top [n] is the argmax of the logits of each row.
	Top []int

	c     int
	peaks []peak // nil until asked for
}

// newRows looks at a block of logits of c classes.
func newRows(b *analysis.Block, c int) *Rows {
	r := &Rows{Block: b, Top: make([]int, b.N), c: c}
	for i := range r.Top {
		r.Top[i] = analysis.Argmax(r.logits(i))
	}
	return r
}

// logits of row i [C].
func (r *Rows) logits(i int) []float64 { return r.Logits[i*r.c : (i+1)*r.c] }

// maxLogit of row i.
func (r *Rows) maxLogit(i int) float64 { return r.logits(i)[r.Top[i]] }

// peak of row i.
func (r *Rows) peak(i int) peak {
	if r.peaks == nil {
		r.peaks = make([]peak, r.N)
		for k := range r.peaks {
			r.peaks[k] = peakOf(r.logits(k), r.Top[k])
		}
	}
	return r.peaks[i]
}

// energy of row i: the logsumexp of its logits.
func (r *Rows) energy(i int) float64 { return r.peak(i).logSumExp() }

// peak is a softmax seen from its largest logit l_m. Everything in it is relative to the larger of what it is added to, so that it keeps its digits where the network is sure.
type peak struct {
	m   int
	top float64 // l_m
	// gap to the largest of the other logits, and the sum of e^(l_j - that) over j != m; +Inf and 0 where there are no others.
	gap, others float64
}

// peakOf looks at the logits l [C] from m, the first of the largest of them.
func peakOf(l []float64, m int) peak {
	second := math.Inf(-1)
	for j, x := range l {
		if j != m && x > second {
			second = x
		}
	}
	p := peak{m: m, top: l[m], gap: l[m] - second}
	if math.IsInf(second, -1) {
		return p
	}
	for j, x := range l {
		if j != m {
			p.others += math.Exp(x - second)
		}
	}
	return p
}

// against is the odds against m: (1-p_m)/p_m.
func (p peak) against() float64 { return math.Exp(-p.gap) * p.others }

// logSumExp adds log1p of the other terms to the largest, so that what they contribute is not lost next to 1.
func (p peak) logSumExp() float64 { return p.top + math.Log1p(p.against()) }

// logOdds is log(p_m/(1-p_m)) = l_m - logsumexp_{j != m} l_j.
func (p peak) logOdds() float64 { return p.gap - math.Log(p.others) }

// logSumExp of any numbers.
func logSumExp(l []float64) float64 { return peakOf(l, analysis.Argmax(l)).logSumExp() }
