package ood

import (
	"fmt"

	"nctrain/analysis"
)

// nnguide weighs the energy by how near sure training rows are.
var nnguide = Detector{
	Name: "nnguide", Fit: FitTrain,
	Formula: "E(h) times the mean of the k largest E(h_i) cos(h, h_i) over training rows, E the energy",
	Source:  "J. Park, Y. G. Jung, A. B. J. Teoh, ICCV 2023",
	Pitfalls: "a product of two signed factors: where an energy is negative (logits below 0) two negative factors make a large score. Warned of where training rows have negative energy. A row of zeros has " +
		"no direction and scores 0; null where k exceeds the rows",
	Params: []Param{{Key: "k", Kind: Whole, Default: 10, Least: 1, Doc: "training rows whose mean guides"}},
	Learn: func(f *Fit, p Settings) (Learner, error) {
		n, k := f.Class.N(), p.whole("k")
		if int64(k) > n {
			return nil, fmt.Errorf("there are no %d of %d training rows: give a smaller nnguide.k", k, n)
		}
		rows, err := newBank(n, f.Head.D, bankLimit)
		if err != nil {
			return nil, err
		}
		return &nnguideScorer{bank: rows, c: f.Head.C, k: k}, nil
	},
}

type nnguideScorer struct {
	*bank    // unit rows times their energy
	c, k     int
	negative int // training rows of negative energy
}

func (s *nnguideScorer) Observe(b *analysis.Block) {
	for i, row := 0, make([]float64, s.d); i < b.N; i++ {
		e := logSumExp(b.Logits[i*s.c : (i+1)*s.c])
		if e < 0 {
			s.negative++
		}
		toUnit(row, b.Features[i*s.d:(i+1)*s.d])
		for j := range row {
			row[j] *= e
		}
		s.add(row)
	}
}

func (s *nnguideScorer) Finish() error { return s.seal() }

func (s *nnguideScorer) Score(b *Rows, out []float64) {
	units := make([]float64, b.N*s.d)
	for i := range b.N {
		toUnit(units[i*s.d:(i+1)*s.d], b.Features[i*s.d:(i+1)*s.d])
	}
	for i, near := range s.largest(units, b.N, s.k) {
		var sum float64
		for _, n := range near {
			sum += n.product
		}
		out[i] = b.energy(i) * sum / float64(s.k)
	}
}

func (s *nnguideScorer) Report(v *analysis.Values) {
	v.Set("rows", float64(s.n))
	if s.negative > 0 {
		v.Warn("%d of %d training rows have negative energy: the sign of the product then says nothing", s.negative, s.n)
	}
}
