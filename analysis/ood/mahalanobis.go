package ood

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"nctrain/analysis"
	"nctrain/analysis/stats"
)

// mahalanobis is minus the squared Mahalanobis distance to the nearest class mean, with one covariance for all classes.
var mahalanobis = Detector{
	Name: "mahalanobis", Notebook: true, Fit: FitTrain,
	Formula: "-min_c (h - mu_c)^T P (h - mu_c), P the pseudo-inverse of S_W from eigenvalues above max(D eps64 lambda_1, q^2), q^2 the quantum of the stored type",
	Source:  "K. Lee et al., NeurIPS 2018",
	New: func(f *Fit, _ Values) (Scorer, error) {
		return newMahalanobis(f, f.Class.Within(), func(largest float64) float64 {
			return f.Class.WithinFloor(largest, f.Info.Type.Eps())
		})
	},
}

// mahalanobisNotebook is the notebook's: scikit-learn's EmpiricalCovariance in float32, whose precision is scipy's pinvh with floor D eps32 lambda_1.
var mahalanobisNotebook = Detector{
	Name: "mahalanobis@notebook", Fit: FitTrain,
	Formula: "mahalanobis with S_W rounded to float32 and eigenvalues above D eps32 lambda_1",
	Source:  "the notebook's OODScorer",
	New: func(f *Fit, _ Values) (Scorer, error) {
		within := f.Class.Within()
		for i, x := range within {
			within[i] = float64(float32(x))
		}
		return newMahalanobis(f, within, func(largest float64) float64 { return float32Floor(f.Head.D, largest) })
	},
}

// float32Floor is the floor of scipy.linalg.pinvh for a float32 matrix.
func float32Floor(d int, largest float64) float64 { return float64(d) * 0x1p-23 * largest }

// nearestWhitened scores by distance among whitened class means.
type nearestWhitened struct {
	whiten      *mat.Dense // [D,k]: eigenvectors over the root of their eigenvalues
	nearest     *stats.Nearest
	origin      []float64 // [D], subtracted before whitening so that no digits are lost to a common offset
	rank        int
	floor, last float64
	// floor32 and rank32 are what the floor D eps32 lambda_1 of a float32 pseudo-inverse would be and leave: reported beside ours.
	floor32 float64
	rank32  int
}

func newMahalanobis(f *Fit, within []float64, floorOf func(largest float64) float64) (Scorer, error) {
	if err := everyClass(f); err != nil {
		return nil, err
	}
	c, d := f.Class.C, f.Class.D
	spectrum, err := stats.SymEigen(within, d, true)
	if err != nil {
		return nil, err
	}
	s := &nearestWhitened{floor: floorOf(spectrum.Values[0]), origin: f.Class.MeanOfRows()}
	s.rank = spectrum.Above(s.floor)
	s.floor32 = float32Floor(d, spectrum.Values[0])
	s.rank32 = spectrum.Above(s.floor32)
	if s.rank == 0 {
		return nil, errors.New("no eigenvalue of S_W is above its floor: the classes have no measurable variance")
	}
	s.last = spectrum.Values[s.rank-1]
	s.whiten = mat.DenseCopyOf(spectrum.Vectors.Slice(0, d, 0, s.rank))
	for i := range d {
		row := s.whiten.RawRowView(i)
		for j := range row {
			row[j] /= math.Sqrt(spectrum.Values[j])
		}
	}
	s.nearest = stats.NewNearest(times(f.Class.Centred(s.origin), c, d, s.whiten), c, s.rank)
	return s, nil
}

func (s *nearestWhitened) Score(b *analysis.Block, out []float64) {
	d := len(s.origin)
	_, squared := s.nearest.Find(times(less(b.Features, s.origin, b.N), b.N, d, s.whiten), b.N)
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
