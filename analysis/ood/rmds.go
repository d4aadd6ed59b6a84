package ood

import (
	"fmt"

	"nctrain/analysis"
	"nctrain/internal/scratch"
)

// rmds is the Mahalanobis distance relative to that of one Gaussian for all rows.
var rmds = Detector{
	Name: "rmds", Fit: FitTrain,
	Formula:  "-min_c (d_c - d_0), d_c the squared Mahalanobis distance to mu_c with S_W, d_0 that to the mean of all rows with S_T; one floor rule for both",
	Source:   "J. Ren et al., 2021 (arXiv:2106.09022)",
	Pitfalls: "under collapse S_W is nearly singular and its floor decides d_c: read rank and floor. pytorch-ood scales by 1/N and adds 1e-6 to the diagonal of each scatter instead",
	New: func(f *Fit, _ Settings) (Scorer, error) {
		near, err := f.nearest()
		if err != nil {
			return nil, err
		}
		all, err := newWhitener(f.Class.Total(), f.Class.MeanOfRows(), storedFloor(f))
		if err != nil {
			return nil, fmt.Errorf("S_T: %w", err)
		}
		return &rmdsScorer{near, all}, nil
	},
}

type rmdsScorer struct {
	*nearestWhitened
	background *whitener
}

// Score adds d_0, which is the same for every class.
func (s *rmdsScorer) Score(b *Rows, out []float64) {
	s.nearestWhitened.Score(b, out)
	white := s.background.apply(b.Features, b.N)
	defer scratch.Give(white)
	for i, norm := range rowNorms(white, b.N) {
		out[i] += norm * norm
	}
}

func (s *rmdsScorer) Report(v *analysis.Values) {
	s.nearestWhitened.Report(v)
	v.Set("rank_total", float64(s.background.rank))
	v.Set("floor_total", s.background.floor)
}
