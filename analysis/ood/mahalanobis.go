package ood

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"nctrain/analysis"
	"nctrain/analysis/stats"
	"nctrain/internal/scratch"
)

// mahalanobis is minus the squared Mahalanobis distance to the nearest class mean, with one covariance for all classes.
var mahalanobis = Detector{
	Name: "mahalanobis", Notebook: true, Fit: FitTrain,
	Formula: "-min_c (h - mu_c)^T P (h - mu_c), P the pseudo-inverse of S_W from eigenvalues above max(D eps64 lambda_1, q^2), q^2 the quantum of the stored type",
	Source:  "K. Lee et al., NeurIPS 2018",
	Pitfalls: "under collapse S_W is nearly singular and the floor decides the result: read rank and floor, and what a float32 pseudo-inverse's would be " +
		"(rank_eps32, floor_eps32); every class needs rows. pytorch-ood scales by 1/(2N) and adds 1e-6 to the diagonal of the scatter instead of a floor",
	New: func(f *Fit, _ Settings) (Scorer, error) {
		return f.nearest()
	},
}

// nearest is the scorer of mahalanobis, which rmds shares.
func (f *Fit) nearest() (*nearestWhitened, error) {
	f.nearMutex.Lock()
	defer f.nearMutex.Unlock()
	if f.near != nil {
		return f.near, nil
	}
	var err error
	f.near, err = newMahalanobis(f, f.Class.Within(), storedFloor(f))
	return f.near, err
}

// storedFloor is the floor of SPEC for eigenvalues of a covariance of the fit set.
func storedFloor(f *Fit) func(largest float64) float64 {
	return func(largest float64) float64 { return f.Class.WithinFloor(largest, f.Info.Type.Eps()) }
}

// mahalanobisNotebook is the notebook's: scikit-learn's EmpiricalCovariance in float32, whose precision is scipy's pinvh with floor D eps32 lambda_1.
var mahalanobisNotebook = Detector{
	Name: "mahalanobis@notebook", Fit: FitTrain,
	Formula:  "mahalanobis with S_W rounded to float32 and eigenvalues above D eps32 lambda_1",
	Source:   "the notebook's OODScorer",
	Pitfalls: "the float32 floor cuts most directions off once classes have collapsed",
	New: func(f *Fit, _ Settings) (Scorer, error) {
		within := f.Class.Within()
		for i, x := range within {
			within[i] = float64(float32(x))
		}
		return newMahalanobis(f, within, func(largest float64) float64 { return float32Floor(f.Head.D, largest) })
	},
}

// float32Floor is the floor of scipy.linalg.pinvh for a float32 matrix.
func float32Floor(d int, largest float64) float64 { return float64(d) * 0x1p-23 * largest }

// whitener maps rows to coordinates in which a covariance is the identity, up to a rotation.
type whitener struct {
	basis       *projection // [D,k]: eigenvectors over the root of their eigenvalues
	origin      []float64   // [D], subtracted before whitening so that no digits are lost to a common offset
	rank        int
	floor, last float64
	// floor32 and rank32 are what the floor D eps32 lambda_1 of a float32 pseudo-inverse would be and leave: reported beside ours.
	floor32 float64
	rank32  int
}

// newWhitener takes the eigenvalues of a covariance [D,D] above the floor of its largest. An error where none is.
func newWhitener(covariance, origin []float64, floorOf func(largest float64) float64) (*whitener, error) {
	d := len(origin)
	spectrum, err := stats.SymEigen(covariance, d, true)
	if err != nil {
		return nil, err
	}
	w := &whitener{floor: floorOf(spectrum.Values[0]), origin: origin}
	w.rank = spectrum.Above(w.floor)
	w.floor32 = float32Floor(d, spectrum.Values[0])
	w.rank32 = spectrum.Above(w.floor32)
	if w.rank == 0 {
		return nil, errors.New("no eigenvalue of the covariance is above its floor: the rows have no measurable variance")
	}
	w.last = spectrum.Values[w.rank-1]
	basis := mat.DenseCopyOf(spectrum.Vectors.Slice(0, d, 0, w.rank))
	for i := range d {
		row := basis.RawRowView(i)
		for j := range row {
			row[j] /= math.Sqrt(spectrum.Values[j])
		}
	}
	w.basis = newProjection(basis)
	return w, nil
}

// apply whitens n rows x [n,D] as [n,k] of scratch memory.
func (w *whitener) apply(x []float64, n int) []float64 {
	return w.basis.apply(x, w.origin, n)
}

// nearestWhitened scores by distance among whitened class means.
type nearestWhitened struct {
	*whitener
	nearest *stats.Nearest
}

func newMahalanobis(f *Fit, within []float64, floorOf func(largest float64) float64) (*nearestWhitened, error) {
	if err := everyClass(f); err != nil {
		return nil, err
	}
	w, err := newWhitener(within, f.Class.MeanOfRows(), floorOf)
	if err != nil {
		return nil, fmt.Errorf("S_W: %w", err)
	}
	c := f.Class.C
	return &nearestWhitened{w, stats.NewNearest(w.apply(f.Class.Mean, c), c, w.rank)}, nil
}

func (s *nearestWhitened) Score(b *Rows, out []float64) {
	white := s.apply(b.Features, b.N)
	defer scratch.Give(white)
	_, squared := s.nearest.Find(white, b.N)
	for i, x := range squared {
		out[i] = -x
	}
}

func (s *nearestWhitened) Report(v *analysis.Values) {
	v.Set("rank", float64(s.rank))
	v.Set("floor", s.floor)
	v.Set("rank_eps32", float64(s.rank32))
	v.Set("floor_eps32", s.floor32)
	v.Set("smallest_eigenvalue", s.last)
	if d := len(s.origin); s.rank < d {
		v.Warn("%d of %d eigenvalues of S_W are at or under the floor %.3g and left out; under collapse the floor decides the result", d-s.rank, d, s.floor)
	}
}

// everyClass refuses a fit set in which a class has no rows.
func everyClass(f *Fit) error {
	if n, class := f.Class.Smallest(); n == 0 {
		return fmt.Errorf("class %d has no rows in %s", class, f.Info.Name)
	}
	return nil
}
