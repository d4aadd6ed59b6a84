package ood

import (
	"math"
	"slices"

	"nctrain/analysis"
)

// quantiles finds quantiles of all activations of the fit set, exactly and with memory that does not grow with it. A value is turned into a key that sorts as
// it does; each sweep counts, among the values that share the leading digits of a wanted one, the next 16 bits. Features stored in at most 32 bits
// take two sweeps, float64 takes four.
type quantiles struct {
	bits    int // of a key
	known   int // leading bits that are found
	n       int64
	wanted  []float64   // shares in 0..1
	ranks   []*rank     // two a share: the values that it lies between
	buckets []histogram // histograms, one a distinct prefix
	values  []float64   // the quantiles, once found
}

// histogram is the histogram of the next digit among the values with one prefix.
type histogram struct {
	prefix uint64
	counts []int64
}

// rank is one order statistic: its prefix so far and its rank among the values with that prefix.
type rank struct {
	prefix uint64
	below  int64
}

const digit = 16

// newQuantiles prepares for n values of a stored type.
func newQuantiles(n int64, stored analysis.DType, shares ...float64) *quantiles {
	q := &quantiles{bits: 32, n: n, wanted: shares}
	if stored == analysis.Float64 {
		q.bits = 64
	}
	for _, share := range shares {
		low := int64(share * float64(n-1))
		q.ranks = append(q.ranks, &rank{below: low}, &rank{below: min(low+1, n-1)})
	}
	q.open()
	return q
}

// open starts the histograms of the next digit.
func (q *quantiles) open() {
	q.buckets = nil
	for _, r := range q.ranks {
		if !slices.ContainsFunc(q.buckets, func(h histogram) bool { return h.prefix == r.prefix }) {
			q.buckets = append(q.buckets, histogram{r.prefix, make([]int64, 1<<digit)})
		}
	}
}

func (q *quantiles) Observe(b *analysis.Block) {
	// Shifts of all 64 bits give 0, the prefix of every key before the first digit is known.
	above, shift := uint(q.bits-q.known), uint(q.bits-q.known-digit)
	for _, x := range b.Features {
		key := q.key(x)
		for k := range q.buckets {
			if h := &q.buckets[k]; key>>above == h.prefix {
				h.counts[key>>shift&(1<<digit-1)]++
				break
			}
		}
	}
}

func (q *quantiles) Finish() error {
	for _, r := range q.ranks {
		at := slices.IndexFunc(q.buckets, func(h histogram) bool { return h.prefix == r.prefix })
		next := 0
		for counts := q.buckets[at].counts; r.below >= counts[next]; next++ {
			r.below -= counts[next]
		}
		r.prefix = r.prefix<<digit | uint64(next)
	}
	q.known += digit
	if q.Again() {
		q.open()
		return nil
	}
	q.buckets = nil
	for k, share := range q.wanted {
		position := share * float64(q.n-1)
		a, b := q.value(q.ranks[2*k].prefix), q.value(q.ranks[2*k+1].prefix)
		q.values = append(q.values, a+(b-a)*(position-math.Floor(position)))
	}
	return nil
}

func (q *quantiles) Again() bool { return q.known < q.bits }

// key sorts as x does: the bits of a float with the sign turned, all bits turned where it is negative.
func (q *quantiles) key(x float64) uint64 {
	if q.bits == 32 {
		u := math.Float32bits(float32(x))
		return uint64(u ^ (uint32(int32(u)>>31) | 1<<31))
	}
	return orderedBits(x)
}

func (q *quantiles) value(key uint64) float64 {
	if q.bits == 32 {
		u := uint32(key)
		return float64(math.Float32frombits(u ^ (^uint32(int32(u)>>31) | 1<<31)))
	}
	return fromOrderedBits(key)
}

// quantileOf interpolates between the neighbours of an ascending list, as numpy's default.
func quantileOf(sorted []float64, share float64) float64 {
	position := share * float64(len(sorted)-1)
	low := int(position)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (sorted[high]-sorted[low])*(position-float64(low))
}
