// Package vector has loops over many numbers that the C compiler does by the vectors of the processor, and Go's compiler one number at a time, which takes two to five times as
// long. Where there is no cgo they are in Go. Each number has the same bits either way; sums along a row may differ by rounding.
package vector

// Widen sets dst to the numbers of src, of which there are no more.
func Widen(dst []float64, src []float32) {
	if len(dst) < len(src) {
		panic("vector: dst is shorter than src")
	} else if len(src) > 0 {
		widen(dst, src)
	}
}

// LessNarrow sets dst [n,D] to the rows x [n,D] less origin [D], rounded to float32, and lengths [n] to the norms of the differences before rounding. n and D are those of
// lengths and origin.
func LessNarrow(dst []float32, lengths, x, origin []float64) {
	if n := len(lengths) * len(origin); len(dst) < n || len(x) < n {
		panic("vector: dst or x is shorter than its rows")
	} else if n > 0 {
		lessNarrow(dst, lengths, x, origin)
	}
}

// Largest raises to [D] to the magnitudes of the rows x [n,D], none of which is NaN.
func Largest(to, x []float64) {
	if len(to) == 0 || len(x)%len(to) != 0 {
		panic("vector: x is not of whole rows")
	}
	if len(x) > 0 {
		largest(to, x)
	}
}

// Squares sets to [n] to the squared norms of the rows x [n,D].
func Squares(to, x []float64) {
	if len(to) > 0 && len(x)%len(to) != 0 {
		panic("vector: x is not of whole rows")
	}
	if len(x) > 0 {
		squares(to, x)
	} else {
		clear(to)
	}
}
