package stats

import (
	"sync"
	"sync/atomic"

	"nctrain/internal/blas" // also puts OpenBLAS under blas64 where the build has it
)

// Parallel runs task(0) .. task(n-1) on at most threads goroutines (0: one a processor). Which goroutine runs which task is left open, so tasks must not share
// what they write.
func Parallel(n, threads int, task func(int)) {
	if threads = min(orAll(threads), n); threads <= 1 {
		for i := range n {
			task(i)
		}
		return
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range threads {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				task(i)
			}
		})
	}
	wait.Wait()
}

// orAll is threads, and all there are for 0.
func orAll(threads int) int {
	if threads <= 0 {
		return blas.Threads()
	}
	return threads
}
