package ood

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"fmt"
	"math"
	"os"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

const (
	// bankLimit is the size in bytes above which a bank lies in a file.
	bankLimit = 1 << 30
	// bankRows is the number of rows of a bank that are multiplied at once.
	bankRows = 1024
)

// bank holds rows for nearest-neighbour search: in memory, or where they are many in a file without a name in the directory for temporary files, mapped
// into memory, so that the system can drop its pages.
type bank struct {
	d, n   int
	expect int64     // rows that will come
	rows   []float64 // [n,d]
	file   *os.File
	writer *bufio.Writer
	unmap  func() error
	err    error
}

// newBank prepares for n rows of d values; more than limit bytes go to a file.
func newBank(n int64, d int, limit int64) (*bank, error) {
	b := &bank{d: d, expect: n}
	if n*int64(d)*8 <= limit || !canMap {
		return b, nil
	}
	file, err := os.CreateTemp("", "nctrain-bank-*")
	if err != nil {
		return nil, fmt.Errorf("bank of %d rows: %w", n, err)
	}
	// Without a name the file is gone when the program ends, however it ends.
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, fmt.Errorf("bank of %d rows: %w", n, err)
	}
	b.file, b.writer = file, bufio.NewWriterSize(file, 1<<20)
	return b, nil
}

// add appends a row; what goes wrong is told by seal.
func (b *bank) add(row []float64) {
	b.n++
	if b.file == nil {
		if b.rows == nil {
			b.rows = make([]float64, 0, b.expect*int64(b.d))
		}
		b.rows = append(b.rows, row...)
		return
	}
	if b.err == nil {
		b.err = binary.Write(b.writer, binary.NativeEndian, row)
	}
}

// seal ends the filling; afterwards rows can be searched.
func (b *bank) seal() error {
	if b.file == nil {
		return nil
	}
	if b.err == nil {
		b.err = b.writer.Flush()
	}
	if b.err == nil && b.n > 0 {
		b.rows, b.unmap, b.err = mapFloats(b.file, b.n*b.d)
	}
	if b.err != nil {
		return fmt.Errorf("bank of %d rows in %s: %w: make room there or set TMPDIR", b.n, os.TempDir(), b.err)
	}
	return nil
}

// Close gives the file back.
func (b *bank) Close() error {
	b.rows = nil
	if b.unmap != nil {
		if err := b.unmap(); err != nil {
			return err
		}
		b.unmap = nil
	}
	if b.file != nil {
		return b.file.Close()
	}
	return nil
}

func (b *bank) row(i int) []float64 { return b.rows[i*b.d : (i+1)*b.d] }

// neighbour is a row of the bank and its inner product with a query.
type neighbour struct {
	row     int
	product float64
}

// neighbours is a heap whose root is the smallest product.
type neighbours []neighbour

func (h neighbours) Len() int           { return len(h) }
func (h neighbours) Less(i, j int) bool { return h[i].product < h[j].product }
func (h neighbours) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *neighbours) Push(x any)        { *h = append(*h, x.(neighbour)) }
func (h *neighbours) Pop() any          { panic("neighbours are replaced, never popped") }

// largest finds for each of n rows x [n,d] the k rows of the bank with the largest inner products, fewer where the bank has fewer, in no order. It is
// safe for concurrent use.
func (b *bank) largest(x []float64, n, k int) []neighbours {
	best := make([]neighbours, n)
	products := make([]float64, n*bankRows)
	query := blas64.General{Rows: n, Cols: b.d, Stride: b.d, Data: x}
	for start := 0; start < b.n; start += bankRows {
		rows := min(bankRows, b.n-start)
		blas64.Gemm(blas.NoTrans, blas.Trans, 1, query, blas64.General{Rows: rows, Cols: b.d, Stride: b.d, Data: b.rows[start*b.d : (start+rows)*b.d]}, 0,
			blas64.General{Rows: n, Cols: rows, Stride: rows, Data: products[:n*rows]})
		for i := range best {
			h := &best[i]
			least := math.Inf(-1)
			if len(*h) == k {
				least = (*h)[0].product
			}
			for j, p := range products[i*rows : (i+1)*rows] {
				switch {
				case len(*h) < k:
					heap.Push(h, neighbour{start + j, p})
				case p > least:
					(*h)[0] = neighbour{start + j, p}
					heap.Fix(h, 0)
				default:
					continue
				}
				if len(*h) == k {
					least = (*h)[0].product
				}
			}
		}
	}
	return best
}
