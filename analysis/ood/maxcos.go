package ood

import (
	"errors"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"nctrain/internal/scratch"
)

// maxcos is the largest cosine between a feature and the weights of a class.
var maxcos = Detector{
	Name:     "maxcos",
	Formula:  "max_c cos(h, w_c)",
	Source:   "Z. Zhang, X. Xiang, CVPR 2023 (decoupled MaxLogit)",
	Pitfalls: "blind to the norm of the features and to the bias; a row of zeros has no direction and scores 0, a class of zero weights is left out",
	New: func(f *Fit, _ Settings) (Scorer, error) {
		var units [][]float64
		for c := range f.Head.C {
			row := slices.Clone(f.Head.Weight[c*f.Head.D : (c+1)*f.Head.D])
			if norm := floats.Norm(row, 2); norm > 0 {
				floats.Scale(1/norm, row)
				units = append(units, row)
			}
		}
		if units == nil {
			return nil, errors.New("all weights are zero: no class has a direction")
		}
		s := maxcosScorer{mat.NewDense(f.Head.D, len(units), nil)}
		for k, row := range units {
			s.units.SetCol(k, row)
		}
		return s, nil
	},
}

type maxcosScorer struct{ units *mat.Dense } // [D,K]

func (s maxcosScorer) Score(b *Rows, out []float64) {
	d, k := s.units.Dims()
	products := times(b.Features, b.N, d, s.units)
	defer scratch.Give(products)
	for i := range out {
		out[i] = 0
		if norm := floats.Norm(b.Features[i*d:(i+1)*d], 2); norm > 0 {
			best := math.Inf(-1)
			for _, x := range products[i*k : (i+1)*k] {
				best = math.Max(best, x)
			}
			out[i] = best / norm
		}
	}
}
