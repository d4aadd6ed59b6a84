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

// Less sets dst [n,D] to the rows x less origin [D]: rows of D numbers, each pitch after the one before.
func Less(dst, x []float64, pitch int, origin []float64) {
	if len(dst) == 0 {
		return
	}
	d := len(origin)
	if d == 0 || len(dst)%d != 0 || len(x) < (len(dst)/d-1)*pitch+d {
		panic("vector: x is shorter than dst, or dst not of whole rows")
	}
	less(dst, nil, x, pitch, origin, nil, len(dst)/d, d)
}

// LessOwn sets dst [n,D], unless it is nil, to the rows x [n,D], each less its own of origins [C,D], that at of [n]; and squares [n] to the squared norms of the differences. n is
// the length of of.
func LessOwn(dst, squares, x, origins []float64, of []int64) {
	n := len(of)
	if n == 0 {
		return
	}
	d := len(x) / n
	if d == 0 || len(x) != n*d || (dst != nil && len(dst) != n*d) || len(squares) != n || len(origins)%d != 0 {
		panic("vector: dst, squares, x and origins do not fit together")
	}
	for _, at := range of {
		if at < 0 || int(at) >= len(origins)/d {
			panic("vector: there is no such origin")
		}
	}
	less(dst, squares, x, d, origins, of, n, d)
}

// OnlyNear gives for each row of dots [n,C] the k with squares[k] - 2 dots[k] least, if no other exceeds that by slack or less; -1 where another does, or is NaN. n and C are
// those of only and squares.
func OnlyNear(only []int64, dots []float32, squares, slack []float64) {
	if len(dots) < len(only)*len(squares) || len(slack) < len(only) {
		panic("vector: dots or slack is shorter than its rows")
	}
	if len(only) > 0 && len(squares) > 0 {
		onlyNear(only, dots, squares, slack)
	}
}
