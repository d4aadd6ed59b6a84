//go:build openblas

package blas

/*
#cgo LDFLAGS: -llapacke -lopenblas
#include <stddef.h>
extern void openblas_set_num_threads(int);
extern char *openblas_get_config(void);
extern void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w, double *work, const int *lwork, int *iwork,
                    const int *liwork, int *info, size_t jobz_len, size_t uplo_len);

static int syevd(char jobz, char uplo, int n, double *a, int lda, double *w, double *work, int lwork, int *iwork, int liwork) {
	int info;
	dsyevd_(&jobz, &uplo, &n, a, &lda, w, work, &lwork, iwork, &liwork, &info, 1, 1);
	return info;
}
*/
import "C"

import (
	"runtime"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/gonum"
	"gonum.org/v1/gonum/lapack/lapack64"
	blasnetlib "gonum.org/v1/netlib/blas/netlib"
	"gonum.org/v1/netlib/lapack/lapacke"

	"nctrain/internal/scratch"
)

// A call of OpenBLAS takes a millisecond or ten. Go's scheduler takes that for a call that waits, hands the call's processor to others, and lets it wait for one when it is
// back. With as many more processors an analysis on two threads took a tenth less time (AMD EPYC, Zen 4).
func init() {
	runtime.GOMAXPROCS(2 * threads)
	C.openblas_set_num_threads(1)
	blas64.Use(blasnetlib.Implementation{})
	lapack64.Use(implementation{})
}

func name() string { return C.GoString(C.openblas_get_config()) }

// implementation is gonum's LAPACK with the two routines that cost time here taken from LAPACKE. gonum's netlib/lapack/netlib would
// override all of them, but does not compile against gonum 0.17.
type implementation struct{ gonum.Implementation }

// Dsyev computes eigenvalues (and vectors) of a symmetric matrix by LAPACK's divide and conquer, dsyevd; the contract is gonum's Dsyev. LAPACK's matrices lie by columns:
// to it the upper triangle is the lower, and its vectors come back as rows. LAPACKE would copy both ways.
func (impl implementation) Dsyev(jobz lapack.EVJob, uplo blas.Uplo, n int, a []float64, lda int, w, work []float64, lwork int) bool {
	if lwork == -1 || n == 0 {
		return impl.Implementation.Dsyev(jobz, uplo, n, a, lda, w, work, lwork)
	}
	// Sizes from dsyevd's documentation; the caller's work is sized for dsyev and too small.
	size, isize := 2*n+1, 1
	if jobz == lapack.EVCompute {
		size, isize = 1+6*n+2*n*n, 3+5*n
	}
	other := C.char(blas.Lower)
	if uplo == blas.Lower {
		other = C.char(blas.Upper)
	}
	own, integers := scratch.Take(size), make([]C.int, isize)
	defer scratch.Give(own)
	if C.syevd(C.char(jobz), other, C.int(n), (*C.double)(&a[0]), C.int(lda), (*C.double)(&w[0]), (*C.double)(&own[0]), C.int(size), &integers[0], C.int(isize)) != 0 {
		return false
	}
	if jobz == lapack.EVCompute {
		transpose(a, n, lda)
	}
	return true
}

// transpose turns the square matrix a [n,n] in place, tile by tile.
func transpose(a []float64, n, lda int) {
	const tile = 32
	for i0 := 0; i0 < n; i0 += tile {
		for j0 := i0; j0 < n; j0 += tile {
			for i := i0; i < min(i0+tile, n); i++ {
				for j := max(j0, i+1); j < min(j0+tile, n); j++ {
					a[i*lda+j], a[j*lda+i] = a[j*lda+i], a[i*lda+j]
				}
			}
		}
	}
}

// Dgesvd computes a singular value decomposition by LAPACK's divide and conquer, dgesdd, where both sides are wanted in the same way;
// the contract is gonum's Dgesvd.
func (impl implementation) Dgesvd(jobU, jobVT lapack.SVDJob, m, n int, a []float64, lda int, s, u []float64, ldu int, vt []float64, ldvt int, work []float64, lwork int) bool {
	same := jobU == jobVT && (jobU == lapack.SVDAll || jobU == lapack.SVDStore || jobU == lapack.SVDNone)
	if lwork == -1 || m == 0 || n == 0 || !same {
		return impl.Implementation.Dgesvd(jobU, jobVT, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork)
	}
	// LAPACKE checks the strides of u and vt even where they are not wanted.
	ldu, ldvt = max(ldu, 1), max(ldvt, 1)
	if jobU == lapack.SVDNone {
		ldu, ldvt = max(m, ldu), max(n, ldvt)
	}
	iwork := make([]int32, 8*min(m, n))
	query := make([]float64, 1)
	if !lapacke.Dgesdd(byte(jobU), m, n, a, lda, s, u, ldu, vt, ldvt, query, -1, iwork) {
		return false
	}
	size := int(query[0])
	return lapacke.Dgesdd(byte(jobU), m, n, a, lda, s, u, ldu, vt, ldvt, make([]float64, size), size, iwork)
}
