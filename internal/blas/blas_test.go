package blas_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"nctrain/internal/blas"
)

func random(rng *rand.Rand, r, c int) *mat.Dense {
	m := mat.NewDense(r, c, nil)
	for i := range r {
		for j := range c {
			m.Set(i, j, rng.NormFloat64())
		}
	}
	return m
}

func TestNameIsKnown(t *testing.T) {
	if blas.Name() == "" {
		t.Fatal("no name")
	}
	t.Log(blas.Name())
}

// TestEigenSym checks A v = lambda v and the ascending order for whichever LAPACK the build uses.
func TestEigenSym(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 17, 96, 150, 257, -150} {
		scale := 1.0
		if n < 0 {
			n, scale = -n, 1e-60 // of the matrix 1e-120, where LAPACK scales
		}
		x := random(rng, n+3, n)
		x.Scale(scale, x)
		var a mat.SymDense
		a.SymOuterK(1, x.T())
		var e mat.EigenSym
		if !e.Factorize(&a, true) {
			t.Fatalf("n=%d: no convergence", n)
		}
		var v, av mat.Dense
		e.VectorsTo(&v)
		av.Mul(&a, &v)
		w := e.Values(nil)
		var only mat.EigenSym
		if !only.Factorize(&a, false) {
			t.Fatalf("n=%d: no convergence without vectors", n)
		}
		for j, lambda := range w {
			if j > 0 && lambda < w[j-1] {
				t.Fatalf("n=%d: eigenvalues not ascending", n)
			}
			if d := math.Abs(only.Values(nil)[j] - lambda); d > 1e-11*w[n-1] {
				t.Fatalf("n=%d: eigenvalue %d differs by %g with and without vectors", n, j, d)
			}
			for i := range n {
				// dsyev and dsyevd are backward stable: residuals of a few n eps ||A||.
				if d := math.Abs(av.At(i, j) - lambda*v.At(i, j)); d > 50*float64(n)*2.3e-16*w[n-1] {
					t.Fatalf("n=%d: residual %g of eigenvector %d", n, d, j)
				}
			}
		}
	}
}

// TestSVD checks that U S V^T gives the matrix back, for tall, wide and square shapes and for values alone.
func TestSVD(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, shape := range [][2]int{{1, 1}, {5, 40}, {40, 5}, {33, 33}} {
		a := random(rng, shape[0], shape[1])
		for _, kind := range []mat.SVDKind{mat.SVDThin, mat.SVDFull} {
			var s mat.SVD
			if !s.Factorize(a, kind) {
				t.Fatalf("%v: no convergence", shape)
			}
			var u, v, us, b mat.Dense
			s.UTo(&u)
			s.VTo(&v)
			k := min(shape[0], shape[1])
			values := s.Values(nil)
			us.Mul(u.Slice(0, shape[0], 0, k), mat.NewDiagDense(k, values))
			b.Mul(&us, v.Slice(0, shape[1], 0, k).T())
			b.Sub(&b, a)
			if d := mat.Norm(&b, 2); d > 1e-12*values[0] {
				t.Fatalf("%v kind %v: reconstruction off by %g", shape, kind, d)
			}
			var only mat.SVD
			if !only.Factorize(a, mat.SVDNone) {
				t.Fatalf("%v: no convergence without vectors", shape)
			}
			for i, x := range only.Values(nil) {
				if math.Abs(x-values[i]) > 1e-12*values[0] {
					t.Fatalf("%v: value %d is %g without vectors and %g with", shape, i, x, values[i])
				}
			}
		}
	}
}
