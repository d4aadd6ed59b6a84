package stats

import (
	"context"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"nctrain/analysis"
	"nctrain/internal/scratch"
	"nctrain/internal/vector"
)

const (
	// chunkRows is the largest number of rows that are summed at once, and that one goroutine takes; a class's shift is the mean of its rows in the first chunk that has any.
	chunkRows = 1024
	// partRows is the number of rows of a chunk that go through its steps at once.
	partRows = analysis.WorkRows
	// tile is the side of the blocks of the second moment that are computed independently.
	tile = 512
	// momentBytes bounds the memory of the second moments of chunks that are summed side by side.
	momentBytes = 256 << 20
)

// Accumulator sums rows into Sums.
type Accumulator struct {
	sums    Sums
	check   *analysis.HeadCheck // nil: logits are not held against a head
	threads int
	inner   int // threads on one chunk
	seen    []bool
}

// NewAccumulator starts empty sums for c classes and d features, for up to threads goroutines (0: one a processor). The logits of the rows are held against head; nil leaves
// Tally.Mismatch zero.
func NewAccumulator(c, d int, head *analysis.Head, threads int) *Accumulator {
	threads = orAll(threads)
	chunks := max(1, min(threads, momentBytes/(8*d*d)))
	a := &Accumulator{threads: chunks, inner: (threads + chunks - 1) / chunks, seen: make([]bool, c), sums: Sums{
		C: c, D: d,
		Count: make([]int64, c), Shift: make([]float64, c*d), Sum: make([]float64, c*d), Square: make([]float64, c), Second: make([]float64, d*d),
		Tally: newTally(d),
	}}
	if head != nil {
		a.check = analysis.NewHeadCheck(head)
	}
	return a
}

// Sums gives the sums so far; the accumulator must not be used afterwards.
func (a *Accumulator) Sums() *Sums { return &a.sums }

// Sweep sums the rows of src, which has logits, and shows each block to also (nil: to nobody), in order. An error where a label is none of the classes.
func (a *Accumulator) Sweep(ctx context.Context, src analysis.Source, also func(*analysis.Block)) error {
	return analysis.Stages[*chunk]{
		InParts: also == nil,
		First: func(b *analysis.Block) error {
			c := a.sums.C
			for i, label := range b.Labels {
				if label < 0 || label >= int64(c) {
					return fmt.Errorf("analysis: %s: labels: row %d has label %d, outside 0..%d: give a head and labels of the same classes",
						src.Info().Name, b.Start+i, label, c-1)
				}
			}
			a.setShifts(b)
			return nil
		},
		Work: func(b *analysis.Block) (*chunk, error) { return a.chunk(b), nil },
		Then: func(b *analysis.Block, k *chunk) error {
			a.add(b, k)
			if also != nil {
				also(b)
			}
			return nil
		},
	}.Sweep(ctx, src, chunkOf(src.Info().N), a.threads)
}

// chunkOf is the number of rows of a chunk of n: where one does not take all, chunks are alike and a multiple of four, so that threads end together.
func chunkOf(n int) int {
	const together = 4
	if n <= chunkRows {
		return chunkRows
	}
	chunks := (n + chunkRows*together - 1) / (chunkRows * together) * together
	return (n + chunks - 1) / chunks
}

// setShifts gives each class that appears for the first time the mean of its rows in this block.
func (a *Accumulator) setShifts(b *analysis.Block) {
	if !slices.ContainsFunc(b.Labels, func(label int64) bool { return !a.seen[label] }) {
		return
	}
	c, d := a.sums.C, a.sums.D
	count := map[int64]float64{}
	b.Parts(d, c, partRows, func(part *analysis.Block) {
		for i, label := range part.Labels {
			if !a.seen[label] {
				floats.Add(a.sums.Shift[int(label)*d:(int(label)+1)*d], part.Features[i*d:(i+1)*d])
				count[label]++
			}
		}
	})
	for label, n := range count {
		floats.Scale(1/n, a.sums.Shift[int(label)*d:(int(label)+1)*d])
		a.seen[label] = true
	}
}

// chunk is what one block of rows adds to the sums, in scratch memory.
type chunk struct {
	classes []int     // that have rows in the block, in the order of their first
	sum     []float64 // [min(N,C),D], of which the first rows are the sums over the shifted rows of each of classes
	square  []float64 // [N]: squared norms of the shifted rows
	second  []float64 // [D,D], the upper triangle
	tally   Tally
}

func (a *Accumulator) chunk(b *analysis.Block) *chunk {
	c, d := a.sums.C, a.sums.D
	k := &chunk{sum: scratch.Take(min(b.N, c) * d), square: scratch.Take(b.N), second: scratch.Take(d * d), tally: newTally(d)}
	place := map[int]int{} // of a class in classes
	shifted := scratch.Take(min(b.N, partRows) * d)
	defer scratch.Give(shifted)
	b.Parts(d, c, partRows, func(part *analysis.Block) {
		from := part.Start - b.Start
		square := k.square[from : from+part.N]
		vector.LessOwn(shifted[:part.N*d], square, part.Features, a.sums.Shift, part.Labels)
		t := tally(part, square, a.check, c, d)
		k.tally.add(&t)
		for i, label := range part.Labels {
			x, label := shifted[i*d:(i+1)*d], int(label)
			if at, there := place[label]; there {
				floats.Add(k.sum[at*d:(at+1)*d], x)
			} else {
				copy(k.sum[len(k.classes)*d:], x)
				place[label] = len(k.classes)
				k.classes = append(k.classes, label)
			}
		}
		gram(k.second, shifted, part.N, d, a.inner, from > 0)
	})
	return k
}

// add puts a chunk's sums to the others.
func (a *Accumulator) add(b *analysis.Block, k *chunk) {
	d := a.sums.D
	a.sums.Tally.add(&k.tally)
	for i, label := range b.Labels {
		a.sums.Square[label] += k.square[i]
		a.sums.Count[label]++
	}
	for at, label := range k.classes {
		floats.Add(a.sums.Sum[label*d:(label+1)*d], k.sum[at*d:(at+1)*d])
	}
	for i := range d {
		floats.Add(a.sums.Second[i*d+i:(i+1)*d], k.second[i*d+i:(i+1)*d])
	}
	for _, lent := range [][]float64{k.sum, k.square, k.second} {
		scratch.Give(lent)
	}
}

// tally counts the rows of a block, of which square are the squared norms, of any distance to a finite point. check nil: the logits are not held against a head.
func tally(b *analysis.Block, square []float64, check *analysis.HeadCheck, c, d int) Tally {
	t := newTally(d)
	finite := 0 // rows in a line before this one that are not in MaxAbs yet
	for i, label := range b.Labels {
		l := b.Logits[i*c : (i+1)*c]
		hole := ""
		if !finiteBySquares(square[i], b.Features[i*d:(i+1)*d]) {
			hole = "features"
		} else if !Finite(l) {
			hole = "logits"
		}
		if hole != "" {
			t.Holes.Add(b.Start+i, hole)
			vector.Largest(t.MaxAbs, b.Features[(i-finite)*d:i*d])
			finite = 0
			continue
		}
		finite++
		top := analysis.Argmax(l)
		t.MaxLogit += l[top]
		if int64(top) == label {
			t.Correct++
		}
	}
	vector.Largest(t.MaxAbs, b.Features[(b.N-finite)*d:])
	if check != nil {
		t.Mismatch = check.Mismatch(b.Features, b.Logits, b.N, b.Start)
	}
	return t
}

// gram sets the upper triangle of g [d,d] to X^T X of the rows x [n,d], or adds that to it. Each tile of g is one task whose result depends on nothing else, so that it is the
// same for any number of threads.
func gram(g, x []float64, n, d, threads int, add bool) {
	var beta float64
	if add {
		beta = 1
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
			blas64.Syrk(blas.Trans, 1, columns(i), beta, blas64.Symmetric{N: min(tile, d-i), Stride: d, Data: out, Uplo: blas.Upper})
			return
		}
		blas64.Gemm(blas.Trans, blas.NoTrans, 1, columns(i), columns(j), beta,
			blas64.General{Rows: min(tile, d-i), Cols: min(tile, d-j), Stride: d, Data: out})
	})
}
