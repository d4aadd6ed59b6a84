// Package scratch lends memory for numbers that live for a moment. What many goroutines allocate and drop a few times a millisecond otherwise keeps the garbage
// collector busy for a sixth of an analysis.
package scratch

import (
	"math/bits"
	"sync"
)

// pools hold *[]float64 by the power of two that they have room for, so that a short one is never taken for a long one.
var pools [64]sync.Pool

// Take lends n numbers of any value. Give them back when nothing refers to them any more; what is not given back is garbage as any other.
func Take(n int) []float64 {
	if n == 0 {
		return nil
	}
	class := bits.Len(uint(n - 1))
	if p, ok := pools[class].Get().(*[]float64); ok {
		return (*p)[:n]
	}
	return make([]float64, n, 1<<class)
}

// Give takes back what Take has lent.
func Give(x []float64) {
	if room := cap(x); room > 0 {
		pools[bits.Len(uint(room))-1].Put(&x)
	}
}
