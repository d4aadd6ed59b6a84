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
	ChunkRows = 512
	// tile is the side of the blocks of the second moment that are computed independently.
	tile = 64
	// headRows is the number of rows whose logits are checked at once.
	headRows = 64
)

// Accumulator sums rows into Sums. It is not safe for concurrent use; it is parallel inside.
type Accumulator struct {
	sums    Sums
	head    *analysis.Head
	threads int
	seen    []bool
	shifted []float64 // [n,D] of the chunk in work
}

// NewAccumulator starts empty sums for c classes and d features. The logits of the rows are held against head; nil leaves Tally.Mismatch zero.
func NewAccumulator(c, d int, head *analysis.Head, threads int) *Accumulator {
	return &Accumulator{head: head, threads: threads, seen: make([]bool, c), sums: Sums{
		C: c, D: d,
		Count: make([]int64, c), Shift: make([]float64, c*d), Sum: make([]float64, c*d), Square: make([]float64, c), Second: make([]float64, d*d),
		Tally: Tally{MaxAbs: make([]float64, d), FirstNonFinite: -1},
	}}
}

// Add sums a block of rows with logits. An error where a label is none of the classes.
func (a *Accumulator) Add(b *analysis.Block) error {
	c, d := a.sums.C, a.sums.D
	for i, label := range b.Labels {
		if label < 0 || label >= int64(c) {
			return fmt.Errorf("labels: row %d has label %d, outside 0..%d: give a head and labels of the same classes", b.Start+i, label, c-1)
		}
	}
	a.tally(b)
	if a.sums.Tally.NonFinite > 0 {
		return nil // the moments are lost; only the count of such rows still matters
	}
	a.setShifts(b)
	a.shifted = grow(a.shifted, b.N*d)
	for i, label := range b.Labels {
		x, h := a.shifted[i*d:(i+1)*d], b.Features[i*d:(i+1)*d]
		floats.SubTo(x, h, a.sums.Shift[int(label)*d:(int(label)+1)*d])
		floats.Add(a.sums.Sum[int(label)*d:(int(label)+1)*d], x)
		a.sums.Square[label] += floats.Dot(x, x)
		a.sums.Count[label]++
	}
	AddGram(a.sums.Second, a.shifted, b.N, d, a.threads)
	if a.head != nil {
		a.checkHead(b)
	}
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

func (a *Accumulator) tally(b *analysis.Block) {
	c, d := a.sums.C, a.sums.D
	t := &a.sums.Tally
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
			t.MaxAbs[j] = max(t.MaxAbs[j], math.Abs(x))
		}
		top := analysis.Argmax(l)
		t.MaxLogit += l[top]
		if int64(top) == label {
			t.Correct++
		}
	}
}

func (a *Accumulator) checkHead(b *analysis.Block) {
	c, d := a.sums.C, a.sums.D
	parts := make([]analysis.HeadMismatch, (b.N+headRows-1)/headRows)
	Parallel(len(parts), a.threads, func(p int) {
		from, to := p*headRows, min((p+1)*headRows, b.N)
		parts[p] = analysis.MismatchOf(a.head, b.Features[from*d:to*d], b.Logits[from*c:to*c], to-from, b.Start+from)
	})
	for _, part := range parts {
		a.sums.Tally.Mismatch.Merge(part)
	}
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
