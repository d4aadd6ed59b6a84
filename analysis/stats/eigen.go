package stats

import (
	"errors"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

// Eigen is a spectrum in descending order.
type Eigen struct {
	// Values [k], largest first.
	Values []float64
	// Vectors [D,k]: column j belongs to Values[j]. Nil where only values were asked for.
	Vectors *mat.Dense
}

// SymEigen gives the spectrum of a symmetric matrix [d,d].
func SymEigen(a []float64, d int, vectors bool) (*Eigen, error) {
	job := lapack.EVNone
	if vectors {
		job = lapack.EVCompute
	}
	v := slices.Clone(a)
	matrix := blas64.Symmetric{N: d, Stride: d, Data: v, Uplo: blas.Upper}
	values, size := make([]float64, d), make([]float64, 1)
	lapack64.Syev(job, matrix, values, size, -1)
	if !lapack64.Syev(job, matrix, values, make([]float64, int(size[0])), int(size[0])) {
		return nil, errors.New("the symmetric eigensolver did not converge")
	}
	slices.Reverse(values) // from ascending
	out := &Eigen{Values: values}
	if vectors {
		for i := range d {
			slices.Reverse(v[i*d : (i+1)*d])
		}
		out.Vectors = mat.NewDense(d, d, v)
	}
	return out, nil
}

// GramEigen gives the spectrum of 1/n M^T M for rows m [n,d], of which only the min(n,d) first values can differ from 0. It comes from the singular values of M:
// eigenvalues of the product would lose those below eps times the largest.
func GramEigen(m []float64, n, d int) (*Eigen, error) {
	var s mat.SVD
	if !s.Factorize(mat.NewDense(n, d, slices.Clone(m)), mat.SVDThin) {
		return nil, errors.New("the singular value decomposition did not converge")
	}
	out := &Eigen{Values: s.Values(nil), Vectors: new(mat.Dense)}
	for i, x := range out.Values {
		out.Values[i] = x * x / float64(n)
	}
	s.VTo(out.Vectors)
	return out, nil
}

// Above counts the leading values above floor.
func (e *Eigen) Above(floor float64) int {
	n := 0
	for n < len(e.Values) && e.Values[n] > floor {
		n++
	}
	return n
}

// Quantum is the variance of rounding rows to their stored type, the floor under which an eigenvalue of S_W tells of storage and not of data: the mean over
// units of (eps rms(h_j))^2 / 12 (a uniform error of one unit in the last place). rms(h_j)^2 is the diagonal of the uncentred second moment.
func (c *Class) Quantum(eps float64) float64 {
	mu := c.MeanOfRows()
	return (floats.Sum(c.Variances()) + floats.Dot(mu, mu)) / float64(c.D) * eps * eps / 12
}

// WithinFloor is the eigenvalue of S_W at and under which it is taken as zero: max(D eps64 lambda_1, quantum), see Quantum.
func (c *Class) WithinFloor(largest, eps float64) float64 {
	return math.Max(float64(c.D)*0x1p-52*largest, c.Quantum(eps))
}
