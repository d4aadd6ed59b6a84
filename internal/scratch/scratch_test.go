package scratch_test

import (
	"sync"
	"testing"

	"nctrain/internal/scratch"
)

// What is lent to one goroutine is lent to no other until it is given back.
func TestNobodySharesWhatIsLent(t *testing.T) {
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			for i := range 2000 {
				x := scratch.Take(1 + (i*7+g)%64)
				for j := range x {
					x[j] = float64(g)
				}
				for j := range x {
					if x[j] != float64(g) {
						t.Errorf("goroutine %d finds %g in its own memory", g, x[j])
						return
					}
				}
				scratch.Give(x)
			}
		})
	}
	wait.Wait()
}

func TestTakeIsAsLongAsAsked(t *testing.T) {
	scratch.Give(scratch.Take(4))
	for _, n := range []int{0, 3, 4, 1000} {
		if x := scratch.Take(n); len(x) != n {
			t.Errorf("Take(%d) gives %d numbers", n, len(x))
		}
	}
}
