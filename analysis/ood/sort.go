package ood

import (
	"math"
	"slices"
)

// sortScores sorts numbers without NaN in ascending order: by 11 bits of their keys after another, which takes a quarter of the time of comparisons.
func sortScores(x []float64) {
	const (
		digit  = 11
		digits = 6 // of 64 bits
		few    = 256
	)
	if len(x) < few {
		slices.Sort(x)
		return
	}
	keys, sorted := make([]uint64, len(x)), make([]uint64, len(x))
	var counts [digits][1 << digit]int
	for i, v := range x {
		keys[i] = orderedBits(v)
		for k := range counts {
			counts[k][keys[i]>>(k*digit)%(1<<digit)]++
		}
	}
	for k := range counts {
		start := &counts[k] // of each digit's run
		sum := 0
		for d, n := range start {
			start[d] = sum
			sum += n
		}
		for _, key := range keys {
			at := &start[key>>(k*digit)%(1<<digit)]
			sorted[*at] = key
			*at++
		}
		keys, sorted = sorted, keys
	}
	for i, key := range keys {
		x[i] = fromOrderedBits(key)
	}
}

// orderedBits turns a number into one that sorts as it does: the sign bit of positive ones is set, all bits of negative ones are turned.
func orderedBits(x float64) uint64 {
	bits := math.Float64bits(x)
	return bits ^ (uint64(int64(bits)>>63) | 1<<63)
}

// fromOrderedBits is the inverse of orderedBits.
func fromOrderedBits(key uint64) float64 {
	return math.Float64frombits(key ^ (^uint64(int64(key)>>63) | 1<<63))
}
