package ood

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"nctrain/analysis"
	"nctrain/analysis/stats"
	"nctrain/internal/scratch"
)

// neco is the share of a feature's norm that lies in the principal components of the training features.
var neco = Detector{
	Name: "neco", Notebook: true, Fit: FitTrain,
	Formula: "||P z|| / ||z||, z = (h - mean)/std of training rows (std 0 -> 1), P the first K principal components of z",
	Source:  "M. Ammar et al., ICLR 2024 (official code, ResNet form)",
	Pitfalls: "with K/D above 0.5 the components hold most of any row, with K = D all of it, and neco is null; units that never fire are divided by 1, not 0; " +
		"a row equal to the training mean has no direction and scores 0. The authors' form for DeiT and Swin, ||P z|| over ||h|| times the largest logit, is none of these",
	Params: []Param{
		{Key: "k", Kind: Whole, Doc: "components K; 0: min(C, D-1) (the official default is 100)"},
		{Key: "scaler", Kind: Switch, Default: 1, Doc: "0: no division by the standard deviation"},
		{Key: "max_logit", Kind: Switch, Doc: "1: times the largest logit (official for all but ResNets)"},
	},
	New: func(f *Fit, p Settings) (Scorer, error) {
		k := p.whole("k")
		if k == 0 {
			k = min(f.Head.C, f.Head.D-1)
		}
		return newNECO(f, k, p["scaler"] != 0, p["max_logit"] != 0, false)
	},
}

// necoNotebook is the notebook's neco_scores, fitted where it should be, on the training features: no scaler, K = C-1, and a centred numerator over an
// un-centred denominator.
var necoNotebook = Detector{
	Name: "neco@notebook", Fit: FitTrain,
	Formula:  "||P (h - mean)|| / (||h|| + 1e-12), P the first C-1 principal components of h",
	Source:   "the notebook's neco_scores",
	Pitfalls: "numerator and denominator are measured from different points; what the notebook ran was fitted on the OOD features and is no row of this table",
	New: func(f *Fit, _ Settings) (Scorer, error) {
		return newNECO(f, f.Head.C-1, false, false, true)
	},
}

type necoScorer struct {
	k        int
	mean     []float64   // [D]
	scale    []float64   // 1/std [D], nil without scaler
	basis    *projection // [D,K]
	maxLogit bool
	// rawNorm divides by ||h|| + 1e-12 instead of ||z||.
	rawNorm   bool
	explained float64
}

func newNECO(f *Fit, k int, scaler, maxLogit, rawNorm bool) (Scorer, error) {
	d, n := f.Head.D, f.Class.N()
	if k < 1 || k > d || int64(k) > n {
		return nil, fmt.Errorf("%d principal components of %d rows with D = %d do not exist: K must lie between 1 and both", k, n, d)
	}
	if k == d && !rawNorm && !maxLogit {
		return nil, fmt.Errorf("all D = %d components keep the whole of every row: every score is 1 but for rounding: give a smaller neco.k", d)
	}
	s := &necoScorer{k: k, mean: f.Class.MeanOfRows(), maxLogit: maxLogit, rawNorm: rawNorm}
	moment := f.Class.Total()
	if scaler {
		s.scale = make([]float64, d)
		for j := range d {
			s.scale[j] = 1
			// A variance that the rounding of n additions of the mean explains is that of a constant unit.
			if variance, rounding := moment[j*d+j], float64(n)*0x1p-52*s.mean[j]; variance > rounding*rounding {
				s.scale[j] = 1 / math.Sqrt(variance)
			}
		}
		for i := range d {
			floats.Mul(moment[i*d:(i+1)*d], s.scale)
			floats.Scale(s.scale[i], moment[i*d:(i+1)*d])
		}
	}
	spectrum, err := stats.SymEigen(moment, d, true)
	if err != nil {
		return nil, err
	}
	if spectrum.Values[0] <= 0 {
		return nil, fmt.Errorf("all training rows of %s are equal", f.Info.Name)
	}
	s.basis = newProjection(mat.DenseCopyOf(spectrum.Vectors.Slice(0, d, 0, k)))
	s.explained = floats.Sum(spectrum.Values[:k]) / stats.Trace(moment, d)
	return s, nil
}

func (s *necoScorer) Score(b *Rows, out []float64) {
	d := len(s.mean)
	z := less(b.Features, s.mean, b.N)
	defer scratch.Give(z)
	if s.scale != nil {
		for i := range b.N {
			floats.Mul(z[i*d:(i+1)*d], s.scale)
		}
	}
	along := s.basis.apply(z, nil, b.N)
	defer scratch.Give(along)
	of, least := z, 0.0
	if s.rawNorm {
		of, least = b.Features[:b.N*d], 1e-12
	}
	whole := rowNorms(of, b.N)
	for i, numerator := range rowNorms(along, b.N) {
		denominator := whole[i] + least
		out[i] = 0 // a row that is the training mean has no direction
		if denominator > 0 {
			out[i] = numerator / denominator
		}
		if s.maxLogit {
			out[i] *= b.maxLogit(i)
		}
	}
}

func (s *necoScorer) Report(v *analysis.Values) {
	d := len(s.mean)
	v.Set("k", float64(s.k))
	v.Set("explained_variance", s.explained)
	if share := float64(s.k) / float64(d); share > 0.5 {
		v.Warn("K/D = %d/%d is above 0.5: the components hold most of any row, ID or not", s.k, d)
	}
}
