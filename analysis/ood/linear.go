package ood

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"

	"nctrain/internal/scratch"
	"nctrain/internal/vector"
)

// times gives x [n,d] times m [d,k], as [n,k] of scratch memory.
func times(x []float64, n, d int, m *mat.Dense) []float64 {
	raw := m.RawMatrix()
	out := scratch.Take(n * raw.Cols)
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, blas64.General{Rows: n, Cols: d, Stride: d, Data: x}, raw, 0,
		blas64.General{Rows: n, Cols: raw.Cols, Stride: raw.Cols, Data: out})
	return out
}

// projection is a linear map B [D,k], k <= D, of which only the lengths of images and the distances between them are wanted. Any rotation of the images has those: with
// B = L Q, L lower trapezoidal, x L stands for x B, which is up to half of the products.
type projection struct {
	d, k  int
	lower []float64 // L [D,k]
}

// newProjection factors b, which it overwrites.
func newProjection(b *mat.Dense) *projection {
	a := b.RawMatrix()
	p := &projection{d: a.Rows, k: a.Cols, lower: make([]float64, a.Rows*a.Cols)}
	tau, size := make([]float64, p.k), make([]float64, 1)
	lapack64.Gelqf(a, tau, size, -1)
	lapack64.Gelqf(a, tau, make([]float64, int(size[0])), int(size[0]))
	for i := range p.d {
		copy(p.lower[i*p.k:(i+1)*p.k], a.Data[i*a.Stride:i*a.Stride+min(i+1, p.k)])
	}
	return p
}

// apply gives the images of n rows x [n,D], less origin [D] unless that is nil, turned, as [n,k] of scratch memory.
func (p *projection) apply(x, origin []float64, n int) []float64 {
	d, k := p.d, p.k
	out := scratch.Take(n * k)
	columns(out, x, origin, n, d, 0, k)
	image := blas64.General{Rows: n, Cols: k, Stride: k, Data: out}
	blas64.Trmm(blas.Right, blas.NoTrans, 1, blas64.Triangular{N: k, Stride: k, Data: p.lower, Uplo: blas.Lower, Diag: blas.NonUnit}, image)
	if k == d {
		return out
	}
	rest := blas64.General{Rows: n, Cols: d - k, Stride: d, Data: x[k:]}
	if origin != nil {
		rest.Stride, rest.Data = rest.Cols, scratch.Take(n*rest.Cols)
		defer scratch.Give(rest.Data)
		columns(rest.Data, x, origin, n, d, k, d)
	}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, rest, blas64.General{Rows: d - k, Cols: k, Stride: k, Data: p.lower[k*k:]}, 1, image)
	return out
}

// columns sets out [n,to-from] to those columns of x [n,d], less origin [d] unless that is nil.
func columns(out, x, origin []float64, n, d, from, to int) {
	width := to - from
	if origin != nil {
		vector.Less(out[:n*width], x[from:], d, origin[from:to])
		return
	}
	for i := range n {
		copy(out[i*width:(i+1)*width], x[i*d+from:i*d+to])
	}
}

// less gives the rows x [n,D] minus y [D], in scratch memory.
func less(x, y []float64, n int) []float64 {
	d := len(y)
	out := scratch.Take(n * d)
	columns(out, x, y, n, d, 0, d)
	return out
}

// rowNorms gives the norm of each of n rows of x [n,k].
func rowNorms(x []float64, n int) []float64 {
	norms := make([]float64, n)
	vector.Squares(norms, x)
	for i, square := range norms {
		norms[i] = math.Sqrt(square)
	}
	return norms
}
