// Package scratch lends memory for numbers that live for a moment. What many goroutines allocate and drop a few times a millisecond otherwise keeps the garbage
// collector busy for a sixth of an analysis.
package scratch

import "sync"

var pool sync.Pool // of *[]float64

// Take lends n numbers of any value. Give them back when nothing refers to them any more; what is not given back is garbage as any other.
func Take(n int) []float64 {
	if p, ok := pool.Get().(*[]float64); ok && cap(*p) >= n {
		return (*p)[:n]
	}
	return make([]float64, n)
}

// Give takes back what Take has lent.
func Give(x []float64) { pool.Put(&x) }
