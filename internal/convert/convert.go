// Package convert narrows many numbers at once. Go's compiler converts one at a time, which takes twice as long as the C compiler's vectors, so that these do it where there
// is cgo. What is converted has the same bits in both. (Widening float32 is bound by memory: it is as fast in Go.)
package convert

// LessNarrow sets dst [n,D] to the rows x [n,D] less origin [D], rounded to float32, and lengths [n] to the norms of the differences before rounding. n and D are those of
// lengths and origin.
func LessNarrow(dst []float32, lengths, x, origin []float64) {
	if n := len(lengths) * len(origin); len(dst) < n || len(x) < n {
		panic("convert: dst or x is shorter than its rows")
	} else if n > 0 {
		lessNarrow(dst, lengths, x, origin)
	}
}
