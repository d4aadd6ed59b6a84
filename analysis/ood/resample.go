package ood

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"nctrain/internal/philox"
)

// resample draws n rows out of n with replacement for one replicate and adds up how often each came: counts [n]. The words are those of Philox under the seed at
// counter (draw/4, replicate, stream, 0), so that any replicate can be drawn on its own, on any thread, and two scores of the same rows meet the same resamples.
func resample(counts []uint16, seed uint64, stream, replicate uint32) {
	clear(counts)
	key, n := philox.Key(seed), uint32(len(counts))
	for at := uint32(0); at < n; at += 4 {
		words := philox.Words(key, [4]uint32{at / 4, replicate, stream})
		for _, w := range words[:min(4, n-at)] {
			high, _ := bits.Mul32(w, n) // floor(word n / 2^32)
			counts[high]++
		}
	}
}

// ranking is what a replicate needs of the scores of one method on one set: all rows in ascending order of score, sorted once.
type ranking struct {
	nID, nOOD int
	// rows in ascending order: index<<2, plus 1 for an OOD row, plus 2 for the last row of a distinct score.
	rows []uint32
}

const (
	fromOOD = 1
	endStep = 2
)

// newRanking sorts scores that Steps accepts.
func newRanking(id, ood []float64) *ranking {
	type row struct {
		score float64
		code  uint32
	}
	all := make([]row, 0, len(id)+len(ood))
	for i, x := range id {
		all = append(all, row{x, uint32(i) << 2})
	}
	for i, x := range ood {
		all = append(all, row{x, uint32(i)<<2 | fromOOD})
	}
	slices.SortFunc(all, func(a, b row) int { return cmp.Compare(a.score, b.score) })
	r := &ranking{nID: len(id), nOOD: len(ood), rows: make([]uint32, len(all))}
	for i, x := range all {
		r.rows[i] = x.code
		if i+1 == len(all) || all[i+1].score != x.score {
			r.rows[i] |= endStep
		}
	}
	return r
}

// measure gives the metrics of MetricKeys in percent for rows that occur as often as the counts say, whose sums are nID and nOOD: one pass over the rows.
// Both directions of a threshold are taken from the same ascending pass; what rejects from below keeps the rest from above. Which kind a row is, and that e^-1 of them are not
// drawn, no processor foresees: nothing branches on it. A step without rows has the precisions of its neighbours and adds nothing.
func (r *ranking) measure(id, ood []uint16, out *[numMetrics]float64) {
	needOOD, needID := need95(r.nOOD), need95(r.nID)
	perID, perOOD := 1/float64(r.nID), 1/float64(r.nOOD)
	counts := [2][]uint16{0: id, fromOOD: ood}
	var belowID, belowOOD int // rows under the step
	var stepID, stepOOD int   // rows of the step
	var halves int64          // twice the pairs won
	fpOut, fpIn := -1, r.nOOD
	precisionOut := 1.0             // of the step before
	var precisionIn, riseIn float64 // of the step before, which the trapezoid joins to this one
	var outStep, outTrap, inStep, inTrap float64
	for _, code := range r.rows {
		kind := int(code & fromOOD)
		drawn := int(counts[kind][code>>2])
		stepOOD += drawn * kind
		stepID += drawn - drawn*kind
		if code&endStep == 0 {
			continue
		}
		halves += int64(stepID) * int64(2*belowOOD+stepOOD)
		left := r.nID - belowID // ID rows of this step and above
		if left >= needID {
			fpIn = r.nOOD - belowOOD
		}
		in := 1.0 // after the last row
		if above := left + r.nOOD - belowOOD; above > 0 {
			in = float64(left) / float64(above)
		}
		inTrap += riseIn * (precisionIn + in)
		riseIn, precisionIn = float64(stepID), in
		inStep += riseIn * in

		belowID += stepID
		belowOOD += stepOOD
		if fpOut < 0 && belowOOD >= needOOD {
			fpOut = belowID
		}
		precision := 1.0 // before the first row
		if below := belowOOD + belowID; below > 0 {
			precision = float64(belowOOD) / float64(below)
		}
		rise := float64(stepOOD)
		outStep += rise * precision
		outTrap += rise * (precision + precisionOut)
		precisionOut = precision
		stepID, stepOOD = 0, 0
	}
	inTrap += riseIn * (precisionIn + 1)
	*out = [numMetrics]float64{
		100 * float64(halves) / 2 * perID * perOOD, 100 * float64(fpOut) * perID, 100 * float64(fpIn) * perOOD,
		100 * outStep * perOOD, 100 * inStep * perID, 100 * outTrap / 2 * perOOD, 100 * inTrap / 2 * perID,
	}
}

// need95 is ceil(0.95 n).
func need95(n int) int { return (95*n + 99) / 100 }

// central95 is the interval between the 2.5 % and 97.5 % quantiles of x, which it sorts.
func central95(x []float64) (low, high float64) {
	slices.Sort(x)
	return quantileOf(x, 0.025), quantileOf(x, 0.975)
}

// perfectBound is the one-sided 95 % lower bound of an AUROC that was observed as 1: of min(nID, nOOD) disjoint pairs every one was won, which a true
// AUROC of a lets happen with probability a^min.
func perfectBound(nID, nOOD int) float64 {
	return math.Pow(0.05, 1/float64(min(nID, nOOD)))
}
