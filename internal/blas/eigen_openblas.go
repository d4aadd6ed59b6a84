//go:build openblas

package blas

/*
#include <stddef.h>
extern double dlansy_(const char *norm, const char *uplo, const int *n, const double *a, const int *lda, double *work, size_t, size_t);
extern void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work, const int *lwork, int *iwork,
                    const int *liwork, int *info, size_t, size_t);
extern void dsytrd_(const char *uplo, const int *n, double *a, const int *lda, double *d, double *e, double *tau, double *work, const int *lwork, int *info, size_t);
extern void dstedc_(const char *compz, const int *n, double *d, double *e, double *z, const int *ldz, double *work, const int *lwork, int *iwork,
                    const int *liwork, int *info, size_t);
extern void dorgtr_(const char *uplo, const int *n, double *a, const int *lda, const double *tau, double *work, const int *lwork, int *info, size_t);

static double largest(char uplo, int n, const double *a, int lda) { return dlansy_("M", &uplo, &n, a, &lda, NULL, 1, 1); }

static int syevd(char jobz, char uplo, int n, double *a, int lda, double *w, double *work, int lwork, int *iwork, int liwork) {
	int info;
	dsyevd_(&jobz, &uplo, &n, a, &lda, w, work, &lwork, iwork, &liwork, &info, 1, 1);
	return info;
}

static int sytrd(char uplo, int n, double *a, int lda, double *d, double *e, double *tau, double *work, int lwork) {
	int info;
	dsytrd_(&uplo, &n, a, &lda, d, e, tau, work, &lwork, &info, 1);
	return info;
}

static int stedc(int n, double *d, double *e, double *z, double *work, int lwork, int *iwork, int liwork) {
	int info;
	dstedc_("I", &n, d, e, z, &n, work, &lwork, iwork, &liwork, &info, 1);
	return info;
}

static int orgtr(char uplo, int n, double *a, int lda, const double *tau, double *work, int lwork) {
	int info;
	dorgtr_(&uplo, &n, a, &lda, tau, work, &lwork, &info, 1);
	return info;
}
*/
import "C"

import (
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack"

	"nctrain/internal/scratch"
)

// Dsyev computes eigenvalues (and vectors) of a symmetric matrix by LAPACK's divide and conquer, dsyevd; the contract is gonum's Dsyev. LAPACK's matrices lie by columns:
// to it the upper triangle is the lower, and its vectors come back as rows. LAPACKE would copy both ways.
func (impl implementation) Dsyev(jobz lapack.EVJob, uplo blas.Uplo, n int, a []float64, lda int, w, work []float64, lwork int) bool {
	if lwork == -1 || n == 0 {
		return impl.Implementation.Dsyev(jobz, uplo, n, a, lda, w, work, lwork)
	}
	byColumns := C.char(blas.Lower)
	if uplo == blas.Lower {
		byColumns = C.char(blas.Upper)
	}
	if jobz == lapack.EVCompute && n >= wide {
		// dsyevd scales what is near the ends of float64; nothing here is.
		if x := float64(C.largest(byColumns, C.int(n), at(a), C.int(lda))); x > 1e-100 && x < 1e100 {
			return vectors(byColumns, n, a, lda, w)
		}
	}
	// Sizes from dsyevd's documentation; the caller's work is sized for dsyev and too small.
	size, isize := 2*n+1, 1
	if jobz == lapack.EVCompute {
		size, isize = 1+6*n+2*n*n, 3+5*n
	}
	own, integers := scratch.Take(size), make([]C.int, isize)
	defer scratch.Give(own)
	if C.syevd(C.char(jobz), byColumns, C.int(n), at(a), C.int(lda), at(w), at(own), C.int(size), &integers[0], C.int(isize)) != 0 {
		return false
	}
	if jobz == lapack.EVCompute {
		for i := range n {
			for j := range i {
				a[i*lda+j], a[j*lda+i] = a[j*lda+i], a[i*lda+j]
			}
		}
	}
	return true
}

const (
	// wide matrices get their vectors with the help of a second goroutine.
	wide = 128
	// workBlock is at least LAPACK's block of columns.
	workBlock = 64
)

// vectors is dsyevd in its parts: to a tridiagonal matrix, whose vectors Z by divide and conquer while another goroutine multiplies the reflections to Q, and both halves of QZ at
// once. (dsyevd applies the reflections to Z, for which they must wait.)
func vectors(uplo C.char, n int, a []float64, lda int, w []float64) bool {
	size, isize := max(1+4*n+n*n, workBlock*n), 3+5*n
	e, tau, work, z, integers := scratch.Take(n), scratch.Take(n), scratch.Take(size), scratch.Take(n*n), make([]C.int, isize)
	q, qWork := scratch.Take(len(a)), scratch.Take(workBlock*n)
	defer func() {
		for _, lent := range [][]float64{e, tau, work, z, q, qWork} {
			scratch.Give(lent)
		}
	}()
	if C.sytrd(uplo, C.int(n), at(a), C.int(lda), at(w), at(e), at(tau), at(work), C.int(size)) != 0 {
		return false
	}
	var other sync.WaitGroup
	var failed C.int
	other.Go(func() {
		copy(q, a)
		failed = C.orgtr(uplo, C.int(n), at(q), C.int(lda), at(tau), at(qWork), C.int(len(qWork)))
	})
	converged := C.stedc(C.int(n), at(w), at(e), at(z), at(work), C.int(size), &integers[0], C.int(isize)) == 0
	other.Wait()
	if !converged || failed != 0 {
		return false
	}
	// By rows, what LAPACK leaves by columns is transposed.
	multiply := func(from, to int) {
		blas64.Gemm(blas.Trans, blas.Trans, 1, blas64.General{Rows: n, Cols: to - from, Stride: lda, Data: q[from:]}, blas64.General{Rows: n, Cols: n, Stride: n, Data: z},
			0, blas64.General{Rows: to - from, Cols: n, Stride: lda, Data: a[from*lda:]})
	}
	other.Go(func() { multiply(0, n/2) })
	multiply(n/2, n)
	other.Wait()
	return true
}

func at(x []float64) *C.double { return (*C.double)(&x[0]) }
