// Package blas says which BLAS and LAPACK stand under gonum, and puts OpenBLAS there when the program is built for it.
//
// Importing the package is enough: with the build tag openblas its init routes gonum's blas32, blas64 and lapack64 (and so mat.EigenSym and
// mat.SVD) through OpenBLAS and LAPACKE; without the tag gonum's own Go code stays in place and nothing needs cgo. Both give the same
// numbers to rounding. OpenBLAS is held to one thread: whoever wants parallel work splits it over goroutines by shape, so that results do
// not depend on the number of threads.
//
// Building with the tag needs libopenblas and liblapacke with their development links (Debian: libopenblas-dev liblapacke-dev). The link
// flags stand in this package; no environment variable is needed.
package blas

import "runtime"

// threads is GOMAXPROCS as the program was started.
var threads = runtime.GOMAXPROCS(0)

// Name tells which implementation gonum uses in this build, for people: "gonum (pure Go)" or OpenBLAS with its version and core.
func Name() string { return name() }

// Threads is how many goroutines are worth running at once: the processors that Go gives the program. GOMAXPROCS is more where OpenBLAS is in use.
func Threads() int { return threads }
