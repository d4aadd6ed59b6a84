//go:build openblas

package blas

/*
#cgo LDFLAGS: -llapacke -lopenblas
extern void openblas_set_num_threads(int);
extern char *openblas_get_config(void);
extern char *openblas_get_corename(void);
*/
import "C"

import (
	"runtime"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/gonum"
	"gonum.org/v1/gonum/lapack/lapack64"
	blasnetlib "gonum.org/v1/netlib/blas/netlib"
	"gonum.org/v1/netlib/lapack/lapacke"
)

// A call of OpenBLAS takes a millisecond or ten. Go's scheduler takes that for a call that waits, hands the call's processor to others, and lets it wait for one when it is
// back. With as many more processors an analysis on two threads took a tenth less time (AMD EPYC, Zen 4).
func init() {
	runtime.GOMAXPROCS(2 * threads)
	C.openblas_set_num_threads(1)
	blas32.Use(blasnetlib.Implementation{})
	blas64.Use(blasnetlib.Implementation{})
	lapack64.Use(implementation{})
}

func name() string { return C.GoString(C.openblas_get_config()) }

// core is the processor whose kernels OpenBLAS has chosen.
func core() string { return C.GoString(C.openblas_get_corename()) }

// implementation is gonum's LAPACK with the two routines that cost time here taken from LAPACKE. gonum's netlib/lapack/netlib would
// override all of them, but does not compile against gonum 0.17.
type implementation struct{ gonum.Implementation }

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
