package ood

import (
	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
)

// residualNorm is vim's second term alone.
var residualNorm = Detector{
	Name: "residual", Fit: FitTrain,
	Formula:  "-||(h-u) R|| with u and R as in vim",
	Source:   "H. Wang et al., CVPR 2022",
	Pitfalls: "knows nothing of the classes: a row of large norm looks unlike the training rows; null where training features lie in the principal subspace",
	Params:   []Param{{Key: "dim", Kind: Whole, Doc: "dimension of the principal subspace; 0: as vim"}},
	Learn: func(f *Fit, p Settings) (Learner, error) {
		s, err := newVIM(f, chosenDim(p, f.Head.D), false)
		if err != nil {
			return nil, err
		}
		return &residualScorer{s}, nil
	},
}

type residualScorer struct{ *vimScorer }

func (s *residualScorer) Score(b *Rows, out []float64) {
	copy(out, s.norms(b.Block))
	floats.Scale(-1, out)
}

func (s *residualScorer) Report(v *analysis.Values) {
	v.Set("dim", float64(s.dim))
	v.Set("mean_residual", s.norm/float64(s.n))
}
