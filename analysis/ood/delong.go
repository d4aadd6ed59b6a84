package ood

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// placement gives, for each ID row, the share of OOD rows that it beats, and for each OOD row the share of ID rows that beat it (ties count half), from mid-ranks: the
// fast form of DeLong's structural components (X. Sun, W. Xu, IEEE Signal Processing Letters 21, 2014).
func placement(id, ood []float64) (byID, byOOD []float64) {
	all := midRanks(slices.Concat(id, ood))
	own, other := midRanks(id), midRanks(ood)
	byID, byOOD = make([]float64, len(id)), make([]float64, len(ood))
	for i := range id {
		byID[i] = (all[i] - own[i]) / float64(len(ood))
	}
	for j := range ood {
		byOOD[j] = 1 - (all[len(id)+j]-other[j])/float64(len(id))
	}
	return byID, byOOD
}

// midRanks gives each value its rank from 1, equal ones the mean of theirs.
func midRanks(x []float64) []float64 {
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	ranks := make([]float64, len(x))
	for from := 0; from < len(x); {
		to := from + 1
		for to < len(x) && x[order[to]] == x[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			ranks[i] = float64(from+to+1) / 2
		}
		from = to
	}
	return ranks
}

// DeLong compares the AUROCs of two scores of the same ID and OOD rows (both of at least two rows): the difference a - b, its standard error, and the
// two-sided p-value of no difference (E. DeLong, D. DeLong, D. Clarke-Pearson, Biometrics 44, 1988). Where the difference has no variance p is 1 for
// equal AUROCs and NaN otherwise: the rows then tell nothing of the error.
func DeLong(aID, aOOD, bID, bOOD []float64) (difference, standardError, p float64) {
	a10, a01 := placement(aID, aOOD)
	b10, b01 := placement(bID, bOOD)
	for i := range a10 {
		a10[i] -= b10[i]
	}
	for j := range a01 {
		a01[j] -= b01[j]
	}
	mean, variance10 := stat.MeanVariance(a10, nil)
	_, variance01 := stat.MeanVariance(a01, nil)
	standardError = math.Sqrt(variance10/float64(len(a10)) + variance01/float64(len(a01)))
	switch {
	case standardError > 0:
		p = math.Erfc(math.Abs(mean) / standardError / math.Sqrt2)
	case mean == 0:
		p = 1
	default:
		p = math.NaN()
	}
	return mean, standardError, p
}

// Holm corrects p-values of one family: the k-th smallest of m times m-k+1, never below the one before, at most 1 (S. Holm, 1979). NaN stays and does not count.
func Holm(p []float64) []float64 {
	out := slices.Clone(p)
	var order []int
	for i, x := range p {
		if !math.IsNaN(x) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	var before float64
	for k, i := range order {
		before = math.Max(before, math.Min(1, float64(len(order)-k)*p[i]))
		out[i] = before
	}
	return out
}
