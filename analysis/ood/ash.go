package ood

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

const (
	ashSource   = "A. Djurisic et al., ICLR 2023"
	ashPitfalls = "pruning a row to a share of its own activations needs features of one sign (after ReLU); k = D - round-half-even(D p) activations are kept, " +
		"of equal ones the first, and one at least. Defaults are the authors' for ImageNet; they too prune the pooled features"
)

func ashParams(percentile float64) []Param {
	return []Param{{Key: "percentile", Kind: Share, Default: percentile, Doc: "share p of the activations of a row that are pruned"}}
}

// ashP prunes and keeps the rest as it is.
var ashP = Detector{
	Name: "ash_p", Source: ashSource, Pitfalls: ashPitfalls, Params: ashParams(0.6),
	Formula: "energy after all but the k largest activations are set to 0",
	New: func(f *Fit, p Settings) (Scorer, error) {
		k := keptOf(f.Head.D, p["percentile"])
		return shapedEnergy{f.Head, func(row []float64) { prune(row, k) }}, nil
	},
}

// ashB gives the kept activations the same value.
var ashB = Detector{
	Name: "ash_b", Source: ashSource, Pitfalls: ashPitfalls, Params: ashParams(0.65),
	Formula: "energy after the k largest activations are set to sum(h)/k and all others to 0",
	New: func(f *Fit, p Settings) (Scorer, error) {
		k := keptOf(f.Head.D, p["percentile"])
		return shapedEnergy{f.Head, func(row []float64) {
			value := floats.Sum(row) / float64(k)
			for j, kept := range largest(row, k) {
				row[j] = 0
				if kept {
					row[j] = value
				}
			}
		}}, nil
	},
}

// ashS scales the kept activations by how much was pruned.
var ashS = Detector{
	Name: "ash_s", Source: ashSource, Params: ashParams(0.9),
	Pitfalls: ashPitfalls + "; the score is asinh of the energy, which the factor can push beyond float64; a row whose kept activations sum to 0 is not scaled",
	Formula:  "asinh(energy) after all but the k largest activations are set to 0 and those multiplied by exp(sum(h)/sum of the kept)",
	New: func(f *Fit, p Settings) (Scorer, error) {
		k := keptOf(f.Head.D, p["percentile"])
		return scaledEnergy{f.Head, func(row []float64) float64 {
			sum := floats.Sum(row)
			prune(row, k)
			return ratio(sum, floats.Sum(row))
		}}, nil
	},
}

// keptOf is k = D - round-half-even(D p), as numpy rounds, and at least 1.
func keptOf(d int, p float64) int { return max(1, d-int(math.RoundToEven(float64(d)*p))) }

// largest marks the k largest of row, of equal ones the first.
func largest(row []float64, k int) []bool {
	kept := make([]bool, len(row))
	least := kthLargest(slices.Clone(row), k)
	ties := k
	for j, x := range row {
		if x > least {
			kept[j] = true
			ties--
		}
	}
	for j, x := range row {
		if x == least && ties > 0 {
			kept[j] = true
			ties--
		}
	}
	return kept
}

// kthLargest selects (C. A. R. Hoare's FIND), reordering x.
func kthLargest(x []float64, k int) float64 {
	for low, high := 0, len(x)-1; ; {
		pivot := x[(low+high)/2]
		i, j := low, high
		for i <= j {
			for x[i] > pivot {
				i++
			}
			for x[j] < pivot {
				j--
			}
			if i <= j {
				x[i], x[j] = x[j], x[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case k-1 <= j:
			high = j
		case k-1 >= i:
			low = i
		default:
			return x[k-1]
		}
	}
}

// prune sets all but the k largest of row to 0.
func prune(row []float64, k int) {
	for j, kept := range largest(row, k) {
		if !kept {
			row[j] = 0
		}
	}
}

// ratio is the exponent of a scaling factor; a part that sums to 0 leaves the row as it is.
func ratio(whole, part float64) float64 {
	if part == 0 {
		return 0
	}
	return whole / part
}
