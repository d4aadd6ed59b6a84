package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
	_ "nctrain/internal/blas" // OpenBLAS under blas64 where the build has it
)

const (
	// ChunkRows is the number of rows that Collect sums at once; a class's shift is the mean of its rows in the first chunk that has any.
	ChunkRows = 1024
	// tile is the side of the blocks of the second moment that are computed independently: at 64 a product of OpenBLAS is a tenth slower, at 256 512 features
	// make three tasks.
	tile = 128
	// strip is the number of columns of the class sums that are summed independently.
	strip = 64
)

// Accumulator sums rows into Sums. It is not safe for concurrent use; it is parallel inside.
type Accumulator struct {
	sums    Sums
	check   *analysis.HeadCheck // nil: logits are not held against a head
	threads int
	seen    []bool
	shifted []float64 // [n,D] of the chunk in work
}

// NewAccumulator starts empty sums for c classes and d features. The logits of the rows are held against head; nil leaves Tally.Mismatch zero.
func NewAccumulator(c, d int, head *analysis.Head, threads int) *Accumulator {
	a := &Accumulator{threads: threads, seen: make([]bool, c), sums: Sums{
		C: c, D: d,
		Count: make([]int64, c), Shift: make([]float64, c*d), Sum: make([]float64, c*d), Square: make([]float64, c), Second: make([]float64, d*d),
		Tally: Tally{MaxAbs: make([]float64, d), FirstNonFinite: -1},
	}}
	if head != nil {
		a.check = analysis.NewHeadCheck(head)
	}
	return a
}

// Add sums a block of rows with logits. An error where a label is none of the classes.
func (a *Accumulator) Add(b *analysis.Block) error {
	c, d := a.sums.C, a.sums.D
	for i, label := range b.Labels {
		if label < 0 || label >= int64(c) {
			return fmt.Errorf("labels: row %d has label %d, outside 0..%d: give a head and labels of the same classes", b.Start+i, label, c-1)
		}
	}
	a.setShifts(b)
	a.shifted = grow(a.shifted, b.N*d)
	square := make([]float64, b.N)
	tallies := make([]Tally, PartsOf(b.N))
	ParallelRows(b.N, a.threads, func(p, from, to int) {
		tallies[p] = a.tally(b.Rows(d, c, from, to))
		for i := from; i < to; i++ {
			x, class := a.shifted[i*d:(i+1)*d], int(b.Labels[i])
			floats.SubTo(x, b.Features[i*d:(i+1)*d], a.sums.Shift[class*d:(class+1)*d])
			square[i] = floats.Dot(x, x)
		}
	})
	for i := range tallies {
		a.sums.Tally.add(&tallies[i])
	}
	if a.sums.Tally.NonFinite > 0 {
		return nil // the moments are lost; only the count of such rows still matters
	}
	for i, label := range b.Labels {
		a.sums.Square[label] += square[i]
		a.sums.Count[label]++
	}
	// Each strip of columns sums its rows in order.
	Parallel((d+strip-1)/strip, a.threads, func(k int) {
		from, to := k*strip, min((k+1)*strip, d)
		for i, label := range b.Labels {
			floats.Add(a.sums.Sum[int(label)*d+from:int(label)*d+to], a.shifted[i*d+from:i*d+to])
		}
	})
	AddGram(a.sums.Second, a.shifted, b.N, d, a.threads)
	return nil
}

// Sums gives the sums so far; the accumulator must not be used afterwards.
func (a *Accumulator) Sums() *Sums { return &a.sums }

// setShifts gives each class that appears for the first time the mean of its rows in this block.
func (a *Accumulator) setShifts(b *analysis.Block) {
	d := a.sums.D
	count := map[int64]float64{}
	for i, label := range b.Labels {
		if !a.seen[label] {
			floats.Add(a.sums.Shift[int(label)*d:(int(label)+1)*d], b.Features[i*d:(i+1)*d])
			count[label]++
		}
	}
	for label, n := range count {
		floats.Scale(1/n, a.sums.Shift[int(label)*d:(int(label)+1)*d])
		a.seen[label] = true
	}
}

// tally counts rows.
func (a *Accumulator) tally(b *analysis.Block) Tally {
	c, d := a.sums.C, a.sums.D
	t := Tally{MaxAbs: make([]float64, d), FirstNonFinite: -1}
	for i, label := range b.Labels {
		h, l := b.Features[i*d:(i+1)*d], b.Logits[i*c:(i+1)*c]
		// A sum is finite only if every term is; rows whose finite values overflow a float64 sum do not occur in features.
		if s := floats.Norm(h, 1) + floats.Norm(l, 1); math.IsNaN(s) || math.IsInf(s, 0) {
			if t.NonFinite == 0 {
				t.FirstNonFinite = b.Start + i
			}
			t.NonFinite++
			continue
		}
		for j, x := range h {
			if x = math.Abs(x); x > t.MaxAbs[j] {
				t.MaxAbs[j] = x
			}
		}
		top := analysis.Argmax(l)
		t.MaxLogit += l[top]
		if int64(top) == label {
			t.Correct++
		}
	}
	if a.check != nil {
		t.Mismatch = a.check.Mismatch(b.Features, b.Logits, b.N, b.Start)
	}
	return t
}

// AddGram adds X^T X of the rows x [n,d] to the upper triangle of g [d,d]. Each tile of g is one task whose result depends on nothing but x, so the sum
// is the same for any number of threads.
func AddGram(g, x []float64, n, d, threads int) {
	if n == 0 {
		return
	}
	type corner struct{ i, j int }
	var tiles []corner
	for i := 0; i < d; i += tile {
		for j := i; j < d; j += tile {
			tiles = append(tiles, corner{i, j})
		}
	}
	columns := func(at int) blas64.General {
		return blas64.General{Rows: n, Cols: min(tile, d-at), Stride: d, Data: x[at:]}
	}
	Parallel(len(tiles), threads, func(k int) {
		i, j := tiles[k].i, tiles[k].j
		out := g[i*d+j:]
		if i == j {
			blas64.Syrk(blas.Trans, 1, columns(i), 1, blas64.Symmetric{N: min(tile, d-i), Stride: d, Data: out, Uplo: blas.Upper})
			return
		}
		blas64.Gemm(blas.Trans, blas.NoTrans, 1, columns(i), columns(j), 1,
			blas64.General{Rows: min(tile, d-i), Cols: min(tile, d-j), Stride: d, Data: out})
	})
}

func grow(x []float64, n int) []float64 {
	if cap(x) < n {
		return make([]float64, n)
	}
	return x[:n]
}
