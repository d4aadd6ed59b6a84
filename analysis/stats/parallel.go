package stats

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Parallel runs task(0) .. task(n-1) on at most threads goroutines (0: GOMAXPROCS). Which goroutine runs which task is left open, so tasks must not share
// what they write.
func Parallel(n, threads int, task func(int)) {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if threads = min(threads, n); threads <= 1 {
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

// partRows is the number of rows that one goroutine takes at once.
const partRows = 64

// PartsOf is the number of parts that ParallelRows makes of n rows.
func PartsOf(n int) int { return (n + partRows - 1) / partRows }

// ParallelRows runs task for each part p, rows from to to-1, of n rows. The parts are a function of n alone: what is summed a part at a time does not depend on
// threads.
func ParallelRows(n, threads int, task func(p, from, to int)) {
	Parallel(PartsOf(n), threads, func(p int) { task(p, p*partRows, min((p+1)*partRows, n)) })
}
