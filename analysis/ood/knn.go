package ood

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
)

// knn is the distance to the k-th nearest training row on the unit sphere.
var knn = Detector{
	Name: "knn", Fit: FitTrain,
	Formula:  "-||z - z_(k)||, z = h/||h||, z_(k) the k-th nearest of the unit-norm training rows",
	Source:   "Y. Sun et al., ICML 2022",
	Pitfalls: "a row of zeros stays zero, at distance 1 from every other; the best k grows with the training set (the authors: 50 for CIFAR-10, 200 for CIFAR-100, 1000 for ImageNet); null where k exceeds the rows",
	Params:   []Param{{Key: "k", Kind: Whole, Default: 50, Least: 1, Doc: "which neighbour"}},
	Learn: func(f *Fit, p Settings) (Learner, error) {
		n, k := f.Class.N(), p.whole("k")
		if int64(k) > n {
			return nil, fmt.Errorf("there is no %d-th nearest of %d training rows: give a smaller knn.k", k, n)
		}
		rows, err := newBank(n, f.Head.D, bankLimit)
		if err != nil {
			return nil, err
		}
		return &knnScorer{bank: rows, k: k}, nil
	},
}

type knnScorer struct {
	*bank // unit rows
	k     int
	zeros int // training rows of zeros, which are kept out of the bank
}

func (s *knnScorer) Observe(b *analysis.Block) {
	for i, unit := 0, make([]float64, s.d); i < b.N; i++ {
		if toUnit(unit, b.Features[i*s.d:(i+1)*s.d]) {
			s.add(unit)
		} else {
			s.zeros++
		}
	}
}

func (s *knnScorer) Finish() error { return s.seal() }

// Score finds the k rows of the largest inner product (unit rows are nearest where that is largest) and takes their distances by subtraction, which does not
// cancel for near rows.
func (s *knnScorer) Score(b *Rows, out []float64) {
	units := make([]float64, b.N*s.d)
	zero := make([]bool, b.N)
	for i := range b.N {
		zero[i] = !toUnit(units[i*s.d:(i+1)*s.d], b.Features[i*s.d:(i+1)*s.d])
	}
	for i, near := range s.largest(units, b.N, s.k) {
		var distances []float64
		for _, n := range near {
			distances = append(distances, floats.Distance(units[i*s.d:(i+1)*s.d], s.row(n.row), 2))
		}
		for range min(s.zeros, s.k) {
			if zero[i] {
				distances = append(distances, 0)
			} else {
				distances = append(distances, 1)
			}
		}
		slices.Sort(distances)
		out[i] = -distances[s.k-1]
	}
}

func (s *knnScorer) Report(v *analysis.Values) {
	v.Set("rows", float64(s.n+s.zeros))
	if s.zeros > 0 {
		v.Warn("%d training rows are zero and have no direction: they lie at distance 1 from every other row", s.zeros)
	}
}

// toUnit writes h over its norm to dst; false, and zeros, where h is zero.
func toUnit(dst, h []float64) bool {
	norm := floats.Norm(h, 2)
	if norm == 0 || math.IsInf(1/norm, 0) {
		clear(dst)
		return false
	}
	floats.ScaleTo(dst, 1/norm, h)
	return true
}
