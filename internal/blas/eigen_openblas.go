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
extern void dormtr_(const char *side, const char *uplo, const char *trans, const int *m, const int *n, const double *a, const int *lda, const double *tau, double *c,
                    const int *ldc, double *work, const int *lwork, int *info, size_t, size_t, size_t);

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

static int ormtr(char uplo, int m, int n, const double *a, int lda, const double *tau, double *c, double *work, int lwork) {
	int info;
	dormtr_("L", &uplo, "N", &m, &n, a, &lda, tau, c, &m, work, &lwork, &info, 1, 1, 1);
	return info;
}
*/
import "C"

import (
	"sync"

	"gonum.org/v1/gonum/blas"
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
	// wide matrices get the vectors of each half of their spectrum from a goroutine of its own.
	wide = 128
	// workBlock is at least LAPACK's block of columns.
	workBlock = 64
)

// vectors is dsyevd in its parts: to a tridiagonal matrix, whose vectors by divide and conquer, and those turned back, which is done for both halves of them at once.
func vectors(uplo C.char, n int, a []float64, lda int, w []float64) bool {
	size, isize := max(1+4*n+n*n, workBlock*(n+1)), 3+5*n
	e, tau, work, z, integers := scratch.Take(n), scratch.Take(n), scratch.Take(size), scratch.Take(n*n), make([]C.int, isize)
	copied := scratch.Take(len(a)) // LAPACK may write to a while it turns vectors, if only what was there
	defer func() {
		for _, lent := range [][]float64{e, tau, work, z, copied} {
			scratch.Give(lent)
		}
	}()
	if C.sytrd(uplo, C.int(n), at(a), C.int(lda), at(w), at(e), at(tau), at(work), C.int(size)) != 0 ||
		C.stedc(C.int(n), at(w), at(e), at(z), at(work), C.int(size), &integers[0], C.int(isize)) != 0 {
		return false
	}
	copy(copied, a)
	half := n / 2
	var failed [2]C.int
	turn := func(i, from, to int, by, work []float64) {
		failed[i] = C.ormtr(uplo, C.int(n), C.int(to-from), at(by), C.int(lda), at(tau), at(z[from*n:]), at(work), C.int(len(work)))
	}
	var other sync.WaitGroup
	other.Go(func() { turn(0, 0, half, copied, work[:workBlock*half]) })
	turn(1, half, n, a, work[workBlock*half:])
	other.Wait()
	if failed != [2]C.int{} {
		return false
	}
	const tile = 32
	for i0 := 0; i0 < n; i0 += tile {
		for j0 := 0; j0 < n; j0 += tile {
			for i := i0; i < min(i0+tile, n); i++ {
				for j := j0; j < min(j0+tile, n); j++ {
					a[i*lda+j] = z[j*n+i]
				}
			}
		}
	}
	return true
}

func at(x []float64) *C.double { return (*C.double)(&x[0]) }
