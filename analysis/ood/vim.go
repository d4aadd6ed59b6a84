package ood

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"nctrain/analysis"
	"nctrain/analysis/stats"
	"nctrain/internal/scratch"
	"nctrain/internal/vector"
)

// vim is virtual-logit matching: the energy less alpha times the norm of the feature's residual outside the principal subspace.
var vim = Detector{
	Name: "vim", Notebook: true, Fit: FitTrain,
	Formula: "energy - alpha ||(h-u) R||, u = -pinv(W) b, R the eigenvectors of 1/N X^T X (X = h - u) for the D - dim smallest eigenvalues, alpha = mean max logit / mean ||X R|| of training rows",
	Source:  "H. Wang et al., CVPR 2022",
	Pitfalls: "the span of few residual directions decides; where training features lie in the principal subspace mean ||X R|| is rounding and vim is null; logits that are mostly negative " +
		"turn the sign of alpha; a head without bias has u = 0",
	Params: []Param{{Key: "dim", Kind: Whole, Doc: "dimension of the principal subspace; 0: 1000 for D >= 2048, 512 for D >= 768, else D/2"}},
	Learn: func(f *Fit, p Settings) (Learner, error) {
		return newVIM(f, chosenDim(p, f.Head.D), false)
	},
}

// vimNotebook is the notebook's: the covariance of X (centred once more), dim 64.
var vimNotebook = Detector{
	Name: "vim@notebook", Fit: FitTrain,
	Formula:  "vim with R from np.cov(X), which is centred again",
	Source:   "the notebook's OODScorer",
	Pitfalls: "64 principal dimensions are chosen by hand, and R belongs to the spread about the mean although rows are measured from u",
	Params:   []Param{{Key: "dim", Kind: Whole, Default: 64, Least: 1, Doc: "dimension of the principal subspace"}},
	Learn: func(f *Fit, p Settings) (Learner, error) {
		return newVIM(f, p.whole("dim"), true)
	},
}

// chosenDim is the parameter dim, where 0 stands for the choice of the authors' benchmark.
func chosenDim(p Settings, d int) int {
	switch dim := p.whole("dim"); {
	case dim > 0:
		return dim
	case d >= 2048:
		return 1000
	case d >= 768:
		return 512
	}
	return d / 2
}

// residual projects h - u outside the principal subspace.
type residual struct {
	origin []float64   // u [D]
	basis  *projection // R [D, D-dim]
	offset []float64   // u R, turned as its basis turns [D-dim]
	narrow []float32   // the basis as float32, where that is enough for the sum of many norms: see narrowRows; else nil
}

// The mean of the residual's norms over many rows, which is all that training rows are read for, comes of products in float32, of half the time, where
//   - there are so many rows that the roundings of each average out, and
//   - the residual has such a share of the rows, both by their root mean squares (from the spectrum: no row is read for it). R as float32 and a product err by some 2^-24 ||X||, that is
//     2^-24/share of the norm, so the mean by 4e-6 at worst. Measured: 5e-9 on the rows of bench/analysis, and on 5,000 of the demo's network 8e-10 and 1e-8.
//
// Scored rows, fewer rows, and rows of float64 are multiplied in float64.
const (
	narrowRows  = 1 << 14
	narrowShare = 0x1p-6
)

// residual is newResidual, shared by vim and residual of one dimension.
func (f *Fit) residual(dim int, centred bool) (*residual, error) {
	if centred {
		return newResidual(f, dim, true)
	}
	f.residualsMutex.Lock()
	defer f.residualsMutex.Unlock()
	if f.residuals[dim] != nil {
		return f.residuals[dim], nil
	}
	r, err := newResidual(f, dim, false)
	if err == nil {
		if f.residuals == nil {
			f.residuals = map[int]*residual{}
		}
		f.residuals[dim] = r
	}
	return r, err
}

// newResidual takes R from the spectrum of 1/N X^T X = S_T + (mu-u)(mu-u)^T, or of S_T alone where centred.
func newResidual(f *Fit, dim int, centred bool) (*residual, error) {
	d := f.Head.D
	if dim >= d {
		return nil, fmt.Errorf("a principal subspace of dimension %d leaves no residual of D = %d: give a smaller dim", dim, d)
	}
	origin, err := headOrigin(f.Head)
	if err != nil {
		return nil, err
	}
	moment := f.Class.Total()
	if !centred {
		shift := f.Class.MeanOfRows()
		floats.Sub(shift, origin)
		for i, x := range shift {
			floats.AddScaled(moment[i*d:(i+1)*d], x, shift)
		}
	}
	spectrum, err := stats.SymEigen(moment, d, true)
	if err != nil {
		return nil, err
	}
	basis := newProjection(mat.DenseCopyOf(spectrum.Vectors.Slice(0, d, dim, d)))
	var narrow []float32
	if share := floats.Sum(spectrum.Values[dim:]) / stats.Trace(moment, d); f.Class.N() >= narrowRows && f.Info.Type != analysis.Float64 && share >= narrowShare*narrowShare {
		narrow = make([]float32, len(basis.lower))
		for i, x := range basis.lower {
			narrow[i] = float32(x)
		}
	}
	// u is of the size of a feature or less, so that h R - u R has the digits of (h-u) R, for a pass less over the features.
	return &residual{origin, basis, basis.apply(origin, nil, 1), narrow}, nil
}

// norms gives ||(h-u) R|| of each row.
func (r *residual) norms(b *analysis.Block) []float64 {
	image := r.basis.apply(b.Features, nil, b.N)
	defer scratch.Give(image)
	for i, k := 0, len(r.offset); i < len(image); i += k {
		floats.Sub(image[i:i+k], r.offset)
	}
	return rowNorms(image, b.N)
}

// sum gives the sum of norms, in float32 where that has the digits.
func (r *residual) sum(b *analysis.Block) float64 {
	if r.narrow == nil {
		return floats.Sum(r.norms(b))
	}
	n, d, k := b.N, len(r.origin), len(r.offset)
	rows, lengths, image, wide := scratch.Take32(n*d), scratch.Take(n), scratch.Take32(n*k), scratch.Take(n*k)
	defer func() {
		scratch.Give32(rows)
		scratch.Give(lengths)
		scratch.Give32(image)
		scratch.Give(wide)
	}()
	vector.LessNarrow(rows, lengths, b.Features, r.origin)
	blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, blas32.General{Rows: n, Cols: d, Stride: d, Data: rows},
		blas32.General{Rows: d, Cols: k, Stride: k, Data: r.narrow}, 0, blas32.General{Rows: n, Cols: k, Stride: k, Data: image})
	vector.Widen(wide, image)
	return floats.Sum(rowNorms(wide, n))
}

// headOrigin is u = -pinv(W) b, the point nearest to the origin at which the logits are as close to zero as they get; 0 without bias. Singular values of W at
// or under max(C,D) eps of its stored type are taken as zero, as scipy.linalg.pinv does.
func headOrigin(h *analysis.Head) ([]float64, error) {
	u := make([]float64, h.D)
	if h.Bias == nil {
		return u, nil
	}
	var svd mat.SVD
	if !svd.Factorize(mat.NewDense(h.C, h.D, slices.Clone(h.Weight)), mat.SVDThin) {
		return nil, errors.New("the singular value decomposition of W did not converge")
	}
	var left, right mat.Dense
	svd.UTo(&left)
	svd.VTo(&right)
	values := svd.Values(nil)
	floor := float64(max(h.C, h.D)) * h.Type.Eps() * values[0]
	for k, s := range values {
		if s <= floor {
			break
		}
		var along float64
		for c, x := range h.Bias {
			along += left.At(c, k) * x
		}
		for j := range u {
			u[j] -= along / s * right.At(j, k)
		}
	}
	return u, nil
}

type vimScorer struct {
	*residual
	dim         int
	eps         float64
	alpha       float64
	maxLogit    float64 // mean over the fit set
	n           int
	norm, whole float64 // sum over the fit set of ||X R||, and the rms of ||X||
}

func newVIM(f *Fit, dim int, centred bool) (*vimScorer, error) {
	r, err := f.residual(dim, centred)
	if err != nil {
		return nil, err
	}
	distance := floats.Distance(f.Class.MeanOfRows(), r.origin, 2)
	return &vimScorer{residual: r, dim: dim, eps: f.Info.Type.Eps(), maxLogit: f.Tally.MaxLogit / float64(f.Class.N()),
		whole: math.Sqrt(floats.Sum(f.Class.Variances()) + distance*distance)}, nil
}

// Sum gives the sum over the rows of a block of ||X R||, and their number.
func (s *vimScorer) Sum(b *analysis.Block) []float64 {
	return []float64{s.sum(b), float64(b.N)}
}

func (s *vimScorer) Add(sum []float64) {
	s.norm += sum[0]
	s.n += int(sum[1])
}

// Finish refuses a residual that is only the rounding of the stored features: alpha would then scale noise to the size of a logit.
func (s *vimScorer) Finish() error {
	mean := s.norm / float64(s.n)
	if mean <= s.eps*s.whole {
		return fmt.Errorf("mean ||X R|| = %.3g is rounding of ||X||, rms %.3g: the training features lie in the principal subspace", mean, s.whole)
	}
	s.alpha = s.maxLogit / mean
	return nil
}

func (s *vimScorer) Score(b *Rows, out []float64) {
	for i, norm := range s.norms(b.Block) {
		out[i] = b.energy(i) - s.alpha*norm
	}
}

func (s *vimScorer) Report(v *analysis.Values) {
	v.Set("dim", float64(s.dim))
	v.Set("alpha", s.alpha)
	v.Set("mean_residual", s.norm/float64(s.n))
	if s.alpha < 0 {
		v.Warn("alpha is %.3g, since the mean largest logit of training rows is negative: a larger residual counts as more in-distribution", s.alpha)
	}
}
