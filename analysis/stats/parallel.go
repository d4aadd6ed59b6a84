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
