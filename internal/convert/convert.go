// Package convert turns many numbers at once from one float type into the other. Go's compiler converts one at a time, the C compiler by its vectors, which takes half the time
// or less, so that these do it where there is cgo. What is converted has the same bits in both.
package convert

// Widen sets dst to the numbers of src, of which there are no more.
func Widen(dst []float64, src []float32) {
	if len(dst) < len(src) {
		panic("convert: dst is shorter than src")
	} else if len(src) > 0 {
		widen(dst, src)
	}
}

// LessNarrow sets dst [n,D] to the rows x [n,D] less origin [D], rounded to float32, and lengths [n] to the norms of the differences before rounding. n and D are those of
// lengths and origin.
func LessNarrow(dst []float32, lengths, x, origin []float64) {
	if n := len(lengths) * len(origin); len(dst) < n || len(x) < n {
		panic("convert: dst or x is shorter than its rows")
	} else if n > 0 {
		lessNarrow(dst, lengths, x, origin)
	}
}
