package npz

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	// windowBytes is how much of an array in Fortran order is turned into C order at once.
	windowBytes = 1 << 24
	// spoolBytes is the size up to which a compressed array in Fortran order is held in memory rather than in a temporary file.
	spoolBytes = 1 << 24
)

// fortranReader reads an array in Fortran order (the first index fastest) row by row: a window of rows is gathered from the D places at which each of their elements lies.
type fortranReader struct {
	array  *array
	source io.ReadCloser // the array's bytes in the file's order, behind the header; read to the end where that is the only way or checks them
	data   io.ReaderAt   // the same at any place; nil until prepared
	spool  *os.File      // where data lies when it was compressed

	n, d, size int
	order      []int  // C-order place in a row of each of its d elements
	window     []byte // rows next-len(window)/(d size).. in C order, not yet delivered
	next       int    // first row behind the window
	column     []byte
	out        []byte // memory of window
}

func newFortranReader(a *array, source io.ReadCloser) *fortranReader {
	r := &fortranReader{array: a, source: source, n: a.Shape[0], d: 1, size: a.DType.Size()}
	for _, dim := range a.Shape[1:] {
		r.d *= dim
	}
	r.order = rowOrder(a.Shape[1:], r.d)
	return r
}

// rowOrder gives, for the d elements of a row of the given shape as they follow each other in Fortran order, their places in C order.
func rowOrder(shape []int, d int) []int {
	order, index := make([]int, d), make([]int, len(shape))
	for k := range order {
		for i, dim := range shape {
			order[k] = order[k]*dim + index[i]
		}
		for i := range index { // the first index runs fastest
			index[i]++
			if index[i] < shape[i] {
				break
			}
			index[i] = 0
		}
	}
	return order
}

// skip passes over n rows that have not been read.
func (r *fortranReader) skip(n int) {
	held := min(n, len(r.window)/(r.d*r.size))
	r.window = r.window[held*r.d*r.size:]
	r.next += n - held
}

func (r *fortranReader) Read(p []byte) (int, error) {
	if len(r.window) == 0 {
		if r.next >= r.n {
			return 0, io.EOF
		}
		if err := r.prepare(); err != nil {
			return 0, err
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.window)
	r.window = r.window[n:]
	return n, nil
}

// prepare makes the elements readable at any place. Those of an archive's member are read once from the first to the last when the reading starts at the first row, which
// holds them against the checksum.
func (r *fortranReader) prepare() error {
	if r.data != nil {
		return nil
	}
	if r.array.data != nil {
		if r.array.checksum && r.next == 0 {
			if _, err := io.Copy(io.Discard, r.source); err != nil {
				return err
			}
		}
		r.data = r.array.data
		return nil
	}
	if r.array.dataBytes <= spoolBytes {
		// Grown by what arrives, not by what is declared: compressed entries declare much.
		raw, err := io.ReadAll(r.source)
		if err != nil {
			return err
		}
		r.data = bytes.NewReader(raw)
		return nil
	}
	var err error
	if r.spool, err = os.CreateTemp("", "nctrain-npz-*"); err != nil {
		return fmt.Errorf("it is compressed and in Fortran order, and there is no room to unpack it: %w: set TMPDIR", err)
	}
	// Without a name the file is gone when the program ends, however it ends.
	if err := os.Remove(r.spool.Name()); err != nil {
		return err
	}
	if _, err := io.Copy(r.spool, r.source); err != nil {
		return fmt.Errorf("it is compressed and in Fortran order, and was not unpacked to %s: %w", os.TempDir(), err)
	}
	r.data = r.spool
	return nil
}

// fill gathers the next window.
func (r *fortranReader) fill() error {
	rowBytes := r.d * r.size
	rows := min(max(windowBytes/rowBytes, 1), r.n-r.next)
	if r.out == nil {
		r.out, r.column = make([]byte, rows*rowBytes), make([]byte, rows*r.size)
	}
	column, size := r.column[:rows*r.size], r.size
	for k, place := range r.order {
		at := (int64(k)*int64(r.n) + int64(r.next)) * int64(size)
		if n, err := r.data.ReadAt(column, at); n < len(column) {
			return errors.Join(io.ErrUnexpectedEOF, err)
		}
		scatter(r.out[place*size:], column, rowBytes, size)
	}
	r.window = r.out[:rows*rowBytes]
	r.next += rows
	return nil
}

// scatter puts the elements of a column, of size bytes each, at every stride bytes of out.
func scatter(out, column []byte, stride, size int) {
	for from, to := 0, 0; from < len(column); from, to = from+size, to+stride {
		copy(out[to:to+size], column[from:from+size])
	}
}

func (r *fortranReader) Close() error {
	err := r.source.Close()
	if r.spool != nil {
		err = errors.Join(err, r.spool.Close())
	}
	return err
}
