package ood

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"nctrain/internal/scratch"
)

// times gives x [n,d] times m [d,k], as [n,k] of scratch memory.
func times(x []float64, n, d int, m *mat.Dense) []float64 {
	raw := m.RawMatrix()
	out := scratch.Take(n * raw.Cols)
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, blas64.General{Rows: n, Cols: d, Stride: d, Data: x}, raw, 0,
		blas64.General{Rows: n, Cols: raw.Cols, Stride: raw.Cols, Data: out})
	return out
}

// less gives the rows x [n,d] minus y [d], in scratch memory.
func less(x, y []float64, n int) []float64 {
	d := len(y)
	out := scratch.Take(n * d)
	for i := range n {
		floats.SubTo(out[i*d:(i+1)*d], x[i*d:(i+1)*d], y)
	}
	return out
}

// rowNorms gives the norm of each of n rows of x [n,k].
func rowNorms(x []float64, n int) []float64 {
	k := len(x) / n
	norms := make([]float64, n)
	for i := range norms {
		row := x[i*k : (i+1)*k]
		norms[i] = math.Sqrt(floats.Dot(row, row)) // features' squares are far from float64's ends
	}
	return norms
}
