package data

import (
	"fmt"
	"math"
	"slices"

	"nctrain/internal/torchrand"
)

// oodSeed is the notebook's seed of the subset of OOD images.
const oodSeed = 42

// Order returns the order in which epoch visits n samples: PyTorch's randperm(n) of a generator with manual_seed(seed +
// epoch), so that PyTorch can follow batch by batch.
func Order(n int, seed uint64, epoch int) []int {
	return torchrand.New(seed + uint64(epoch)).Randperm(n)
}

// OODSubset returns which of nOOD images are scored beside nID in-distribution ones: the first nID of PyTorch's
// randperm(nOOD) with seed 42 where there are more, as the notebook takes them, and all in order otherwise.
func OODSubset(nOOD, nID int) []int {
	if nOOD > nID {
		return torchrand.New(oodSeed).Randperm(nOOD)[:nID]
	}
	all := make([]int, nOOD)
	for i := range all {
		all[i] = i
	}
	return all
}

// holdOut splits 0..n-1 into a rest to train on and the last fraction (rounded to whole samples) of randperm(n, seed),
// both in ascending order. It is an error when either would be empty.
func holdOut(n int, fraction float64, seed uint64) (rest, held []int, err error) {
	k := int(math.Round(fraction * float64(n)))
	if k < 1 || k >= n {
		return nil, nil, fmt.Errorf("a validation fraction of %v holds out %d of %d images: both parts need at least one", fraction, k, n)
	}
	p := torchrand.New(seed).Randperm(n)
	rest, held = p[:n-k:n-k], p[n-k:]
	slices.Sort(rest)
	slices.Sort(held)
	return rest, held, nil
}
