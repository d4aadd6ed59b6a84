package vector

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Every number of a row, also past the last whole vector, beyond float32's range and below its smallest; nothing behind it.
func TestNarrowingIsGos(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	special := []float64{0, math.Copysign(0, -1), 1e-42, 1e-300, 1e300, -1e300, math.Inf(1), math.NaN(), 1 + 0x1p-24, math.MaxFloat32}
	for _, d := range []int{1, 3, 4, 5, 8, 31, 512} {
		const n = 3
		x, origin := make([]float64, n*d), make([]float64, d)
		for i := range x {
			x[i] = rng.NormFloat64() * math.Exp(10*rng.NormFloat64())
			if rng.IntN(4) == 0 {
				x[i] = special[rng.IntN(len(special))]
			}
		}
		for j := range origin {
			origin[j] = rng.NormFloat64()
		}
		const guard = 12345
		narrow, lengths := make([]float32, n*d+1), make([]float64, n)
		narrow[n*d] = guard
		LessNarrow(narrow, lengths, x, origin)
		for i := range n {
			var square float64
			for j, y := range origin {
				difference := x[i*d+j] - y
				square += difference * difference
				want := float32(difference)
				if got := narrow[i*d+j]; math.Float32bits(got) != math.Float32bits(want) && (got == got || want == want) {
					t.Errorf("D = %d: narrow[%d,%d] = %g, want %g", d, i, j, got, want)
				}
			}
			if want := math.Sqrt(square); !(math.Abs(lengths[i]-want) <= 1e-14*want) && lengths[i] != want && !math.IsNaN(want) {
				t.Errorf("D = %d: lengths[%d] = %g, want %g", d, i, lengths[i], want)
			}
		}
		if narrow[n*d] != guard {
			t.Errorf("D = %d: what lies behind was overwritten", d)
		}
	}
	LessNarrow(nil, nil, nil, nil)
}

// Every number, also past the last whole vector; nothing behind it.
func TestWideningIsGos(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	special := []float32{0, float32(math.Copysign(0, -1)), 1e-42, math.MaxFloat32, float32(math.Inf(-1)), float32(math.NaN())}
	for n := range 70 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
			if rng.IntN(4) == 0 {
				x[i] = special[rng.IntN(len(special))]
			}
		}
		const guard = 12345
		wide := make([]float64, n+1)
		wide[n] = guard
		Widen(wide, x)
		for i, v := range x {
			if want := float64(v); math.Float64bits(wide[i]) != math.Float64bits(want) && (wide[i] == wide[i] || want == want) {
				t.Errorf("of %d: wide[%d] = %g, want %g", n, i, wide[i], want)
			}
		}
		if wide[n] != guard {
			t.Errorf("of %d: what lies behind was overwritten", n)
		}
	}
}

// Every number of every row, also past the last whole vector; nothing behind the units.
func TestLargestMagnitudes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, d := range []int{1, 7, 8, 31, 512} {
		const n, guard = 5, 12345
		x, got := make([]float64, n*d), make([]float64, d+1)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		for j := range d {
			got[j] = math.Abs(rng.NormFloat64())
		}
		x[rng.IntN(n*d)] = math.Inf(-1)
		got[d] = guard
		want := slices.Clone(got)
		for i, v := range x {
			want[i%d] = max(want[i%d], math.Abs(v))
		}
		Largest(got[:d], x)
		if !slices.Equal(got, want) {
			t.Errorf("D = %d: %v, want %v", d, got, want)
		}
	}
}

// Whole numbers, whose squares add up exactly; nothing behind the rows. What is not finite shows.
func TestSquaresOfRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, d := range []int{0, 1, 31, 32, 33, 100, 512} {
		const n, guard = 4, 12345
		x, got, want := make([]float64, n*d), []float64{7, 7, 7, 7, guard}, []float64{0, 0, 0, 0, guard}
		for i := range x {
			x[i] = float64(rng.IntN(2001) - 1000)
			want[i/d] += x[i] * x[i]
		}
		if d > 0 {
			x[rng.IntN(d)], want[0] = math.Inf(-1), math.Inf(1)
		}
		Squares(got[:n], x)
		if !slices.Equal(got, want) {
			t.Errorf("D = %d: %v, want %v", d, got, want)
		}
		if d > 0 {
			x[d+rng.IntN(d)] = math.NaN()
			if Squares(got[:n], x); !math.IsNaN(got[1]) || got[2] != want[2] {
				t.Errorf("D = %d: with a NaN in row 1: %v", d, got)
			}
		}
	}
}

// Whole numbers, whose differences and squares are exact: every one, also past the last whole vector; nothing behind the rows, and nothing read between them.
func TestRowsLessTheirOrigins(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	numbers := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(rng.IntN(2001) - 1000)
		}
		return x
	}
	for _, d := range []int{1, 3, 8, 31, 32, 33, 100, 512} {
		const n, gap, guard = 4, 3, 12345
		x, origins, of := numbers(n*d), numbers(3*d), []int64{2, 0, 2, 1}
		spaced := make([]float64, (n-1)*(d+gap)+d)
		for i := range spaced {
			spaced[i] = math.NaN()
		}
		wantOwn, wantOne, wantSquares := make([]float64, n*d), make([]float64, n*d), []float64{0, 0, 0, 0, guard}
		for i := range wantOwn {
			row, j := i/d, i%d
			spaced[row*(d+gap)+j] = x[i]
			wantOne[i] = x[i] - origins[j]
			wantOwn[i] = x[i] - origins[int(of[row])*d+j]
			wantSquares[row] += wantOwn[i] * wantOwn[i]
		}
		wantOwn, wantOne = append(wantOwn, guard), append(wantOne, guard)
		got, squares := slices.Repeat([]float64{guard}, n*d+1), []float64{7, 7, 7, 7, guard}
		if LessOwn(got[:n*d], squares[:n], x, origins, of); !slices.Equal(got, wantOwn) || !slices.Equal(squares, wantSquares) {
			t.Errorf("D = %d: LessOwn gives %v with %v, want %v with %v", d, got, squares, wantOwn, wantSquares)
		}
		squares = []float64{7, 7, 7, 7, guard}
		if LessOwn(nil, squares[:n], x, origins, of); !slices.Equal(squares, wantSquares) {
			t.Errorf("D = %d: LessOwn without dst gives %v, want %v", d, squares, wantSquares)
		}
		if Less(got[:n*d], spaced, d+gap, origins[:d]); !slices.Equal(got, wantOne) {
			t.Errorf("D = %d: Less gives %v, want %v", d, got, wantOne)
		}
	}
	Less(nil, nil, 0, []float64{1})
	LessOwn(nil, nil, nil, nil, nil)
}

// At every place of the least, also past the last whole vector: one that nothing comes near, one with another at its slack, one with another just beyond, and rows with NaN.
func TestOnlyNear(t *testing.T) {
	for _, c := range []int{1, 2, 7, 8, 9, 100} {
		for at := range c {
			other := (at + 1) % c
			dots, squares, slack := make([]float32, 4*c), make([]float64, c), []float64{1, 1, 1, 1}
			for k := range squares {
				squares[k] = float64(10 + k)
				for i := range 4 {
					dots[i*c+k] = float32(k) / 2 // all at 10
				}
			}
			want := []int64{int64(at), -1, int64(at), -1}
			for i := range 4 {
				dots[i*c+at] += 2.5 // at 5
			}
			dots[c+other] += 2                    // at 6
			dots[2*c+other] += 2 - 0x1p-10        // a little above
			dots[3*c+other] = float32(math.NaN()) // unknown
			if c == 1 {
				want = []int64{0, 0, 0, 0}
			}
			got := []int64{7, 7, 7, 7, 7}
			if OnlyNear(got[:4], dots, squares, slack); !slices.Equal(got, append(want, 7)) {
				t.Errorf("C = %d, the least at %d: %v, want %v", c, at, got, want)
			}
		}
	}
}

func TestShortArgumentsPanic(t *testing.T) {
	for name, call := range map[string]func(){
		"LessNarrow": func() { LessNarrow(make([]float32, 3), make([]float64, 2), make([]float64, 4), make([]float64, 2)) },
		"Less":       func() { Less(make([]float64, 4), make([]float64, 4), 3, make([]float64, 2)) },
		"LessOwn":    func() { LessOwn(nil, make([]float64, 2), make([]float64, 4), make([]float64, 4), []int64{0, 2}) },
		"LessOwn, one number more than whole rows": func() { LessOwn(nil, make([]float64, 2), make([]float64, 5), make([]float64, 4), []int64{0, 1}) },
		"LessOwn, no numbers":                      func() { LessOwn(nil, make([]float64, 2), nil, make([]float64, 4), []int64{0, 1}) },
		"LessOwn, a row less of differences": func() {
			LessOwn(make([]float64, 2), make([]float64, 2), make([]float64, 4), make([]float64, 4), []int64{0, 1})
		},
		"LessOwn, a square less":  func() { LessOwn(nil, make([]float64, 1), make([]float64, 4), make([]float64, 4), []int64{0, 1}) },
		"LessOwn, half an origin": func() { LessOwn(nil, make([]float64, 2), make([]float64, 4), make([]float64, 5), []int64{0, 1}) },
		"Less, no origin":         func() { Less(make([]float64, 4), make([]float64, 4), 2, nil) },
		"Less, half a row":        func() { Less(make([]float64, 3), make([]float64, 4), 2, make([]float64, 2)) },
		"LessNarrow, rows":        func() { LessNarrow(make([]float32, 4), make([]float64, 2), make([]float64, 3), make([]float64, 2)) },
		"OnlyNear, slack":         func() { OnlyNear(make([]int64, 2), make([]float32, 6), make([]float64, 3), make([]float64, 1)) },
		"OnlyNear":                func() { OnlyNear(make([]int64, 2), make([]float32, 5), make([]float64, 3), make([]float64, 2)) },
		"Squares":                 func() { Squares(make([]float64, 2), make([]float64, 3)) },
		"Largest":                 func() { Largest(make([]float64, 2), make([]float64, 3)) },
		"Widen":                   func() { Widen(make([]float64, 3), make([]float32, 4)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error(name, "took less than it needs")
				}
			}()
			call()
		}()
	}
}
