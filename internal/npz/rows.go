package npz

import (
	"archive/zip"
	"compress/flate"
	"errors"
	"fmt"
	"io"
)

// chunkBytes is how much of an array is read from the file at once.
const chunkBytes = 1 << 17

// Rows reads an array from its first row to its last; a row is everything behind one first index. Several Rows of one
// File, also of the same array, are independent of each other.
type Rows struct {
	N int // rows
	D int // elements a row

	file  *File
	array *array
	r     io.ReadCloser // C-order elements
	next  int           // rows delivered so far
	chunk []byte
}

// Rows starts reading the named array of shape [N], [N,D] or [N,...], with memory for a chunk, in Fortran order for some rows. The caller closes the Rows.
func (f *File) Rows(name string) (*Rows, error) {
	a, err := f.lookup(name)
	if err != nil {
		return nil, err
	}
	if len(a.Shape) == 0 {
		return nil, f.errorf(name, "a scalar has no rows: an array of shape [N] or [N,D] is wanted")
	}
	d := 1
	for _, dim := range a.Shape[1:] {
		d *= dim
	}
	if d == 0 {
		return nil, f.errorf(name, "its rows are empty: shape %s", shapeText(a.Shape))
	}
	return f.rows(a, a.Shape[0], d)
}

// flat reads the named array as N = Len rows of one element.
func (f *File) flat(name string) (*Rows, error) {
	a, err := f.lookup(name)
	if err != nil {
		return nil, err
	}
	return f.rows(a, a.Len(), 1)
}

func (f *File) rows(a *array, n, d int) (*Rows, error) {
	if a.DType == Other {
		return nil, f.errorf(a.Name, "elements of type %q cannot be read: store integers or floating-point numbers", a.Descr)
	}
	r, err := a.open()
	if err != nil {
		return nil, f.errorf(a.Name, "%w", err)
	}
	rows := &Rows{N: n, D: d, file: f, array: a, r: r}
	if _, err := io.CopyN(io.Discard, r, a.headerBytes); err != nil {
		r.Close()
		return nil, f.errorf(a.Name, "%w", err)
	}
	if a.Fortran && len(a.Shape) > 1 {
		rows.r = newFortranReader(a, r)
	}
	return rows, nil
}

// Skip passes over the next n rows, or as many as there are. Rows that are stored without compression are not read, and the checksum of an archive, which is over all of
// its bytes, is then not held against them.
func (r *Rows) Skip(n int) error {
	n = min(n, r.N-r.next)
	if n <= 0 {
		return nil
	}
	skipped := int64(n) * int64(r.D) * int64(r.array.DType.Size())
	switch f, isFortran := r.r.(*fortranReader); {
	case isFortran:
		f.skip(n)
	case r.array.data != nil:
		at := int64(r.next+n) * int64(r.D) * int64(r.array.DType.Size())
		r.r.Close()
		r.r = io.NopCloser(io.NewSectionReader(r.array.data, at, r.array.dataBytes-at))
	default:
		if _, err := io.CopyN(io.Discard, r.r, skipped); err != nil {
			return r.broken(err)
		}
	}
	r.next += n
	return nil
}

// Close releases the reader. It does not close the File.
func (r *Rows) Close() error { return r.r.Close() }

// Float64 fills dst with the next len(dst)/D rows, fewer at the end, and returns how many; then 0 and io.EOF.
// Floating-point arrays of every width can be read so, without rounding. It panics when dst is shorter than a row.
func (r *Rows) Float64(dst []float64) (int, error) {
	if err := r.want(r.array.DType.IsFloat(), "floating-point numbers are"); err != nil {
		return 0, err
	}
	return read(r, dst, decodeFloat64)
}

// Float32 is Float64 for arrays of float32 and narrower types, which it delivers exactly. Of float64 it is an error.
func (r *Rows) Float32(dst []float32) (int, error) {
	exact := r.array.DType.IsFloat() && r.array.DType != Float64
	if err := r.want(exact, "float32 or a narrower type, which need no rounding, are"); err != nil {
		return 0, err
	}
	return read(r, dst, decodeFloat32)
}

// Int64 is Float64 for arrays of integers of every width and of bool. A uint64 past the largest int64 is an error.
func (r *Rows) Int64(dst []int64) (int, error) {
	if err := r.want(r.array.DType.IsInteger(), "integers are"); err != nil {
		return 0, err
	}
	return read(r, dst, decodeInt64)
}

// Uint8 is Float64 for arrays of uint8.
func (r *Rows) Uint8(dst []uint8) (int, error) {
	if err := r.want(r.array.DType == Uint8, "uint8 is"); err != nil {
		return 0, err
	}
	return read(r, dst, decodeUint8)
}

func (r *Rows) want(ok bool, what string) error {
	if ok {
		return nil
	}
	return r.file.errorf(r.array.Name, "is %s, %s wanted here: convert it with numpy's astype", r.array.DType, what)
}

// read delivers whole rows into dst, chunk by chunk, and checks the end of the entry (and so the archive's checksum)
// behind the last one.
func read[T any](r *Rows, dst []T, decode func(a *array, dst []T, raw []byte) error) (int, error) {
	if len(dst) < r.D {
		panic(fmt.Sprintf("npz: room for %d elements, a row has %d", len(dst), r.D))
	}
	n := min(len(dst)/r.D, r.N-r.next)
	if n == 0 {
		return 0, io.EOF
	}
	size := r.array.DType.Size()
	if r.chunk == nil {
		r.chunk = make([]byte, min(int64(chunkBytes), r.array.dataBytes))
	}
	for rest := dst[:n*r.D]; len(rest) > 0; {
		k := min(len(rest), len(r.chunk)/size)
		raw := r.chunk[:k*size]
		if _, err := io.ReadFull(r.r, raw); err != nil {
			return 0, r.broken(err)
		}
		if err := decode(r.array, rest[:k], raw); err != nil {
			return 0, r.broken(err)
		}
		rest = rest[k:]
	}
	r.next += n
	if r.next == r.N {
		if err := atEnd(r.r); err != nil {
			return 0, r.broken(err)
		}
	}
	return n, nil
}

func (r *Rows) broken(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // Only a whole array ends in io.EOF.
	}
	if corrupt := flate.CorruptInputError(0); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrFormat) || errors.As(err, &corrupt) {
		err = fmt.Errorf("%w: the file is damaged: copy or write it again", err)
	}
	return r.file.errorf(r.array.Name, "after row %d of %d: %w", r.next, r.N, err)
}

func atEnd(r io.Reader) error {
	var one [1]byte
	switch n, err := io.ReadFull(r, one[:]); {
	case n > 0:
		return errors.New("more bytes than its shape takes")
	case err != io.EOF:
		return err
	}
	return nil
}
