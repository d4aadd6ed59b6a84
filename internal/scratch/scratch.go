// Package scratch lends memory for numbers that live for a moment. What many goroutines allocate and drop a few times a millisecond otherwise keeps the garbage
// collector busy for a sixth of an analysis.
package scratch

import (
	"math/bits"
	"sync"
)

// pools hold *[]T by the power of two that they have room for, so that a short one is never taken for a long one.
type pools[T any] [64]sync.Pool

var (
	doubles pools[float64]
	singles pools[float32]
)

// Take lends n numbers of any value. Give them back when nothing refers to them any more; what is not given back is garbage as any other.
func Take(n int) []float64 { return doubles.take(n) }

// Give takes back what Take has lent.
func Give(x []float64) { doubles.give(x) }

// Take32 is Take for numbers of half the size.
func Take32(n int) []float32 { return singles.take(n) }

// Give32 takes back what Take32 has lent.
func Give32(x []float32) { singles.give(x) }

func (p *pools[T]) take(n int) []T {
	if n == 0 {
		return nil
	}
	class := bits.Len(uint(n - 1))
	if x, ok := p[class].Get().(*[]T); ok {
		return (*x)[:n]
	}
	return make([]T, n, 1<<class)
}

func (p *pools[T]) give(x []T) {
	if room := cap(x); room > 0 {
		p[bits.Len(uint(room))-1].Put(&x)
	}
}
