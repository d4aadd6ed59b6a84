// Package convert changes the precision of many numbers at once. Go's compiler converts one at a time, which took a twentieth of an analysis; where there is cgo the C
// compiler's vectors do it, elsewhere Go. What is converted has the same bits in both.
package convert

// Widen sets dst to src [len(dst)].
func Widen(dst []float64, src []float32) {
	if len(src) < len(dst) {
		panic("convert: src is shorter than dst")
	}
	if len(dst) > 0 {
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
