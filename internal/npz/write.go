package npz

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"nctrain/internal/wholefile"
)

// Number is what an element may be when written.
type Number interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32 | float64
}

// Writer collects the arrays of one .npz archive. It belongs to one goroutine.
type Writer struct {
	path  string
	zip   *zip.Writer
	names []string
	open  string // name of the entry being streamed, "" when none is
}

// Write creates or replaces the .npz archive at path with the arrays that fill puts into it. On any error path keeps
// its former content. Arrays are stored without compression, each behind a header as numpy.savez writes it; the same
// arrays give the same bytes.
func Write(path string, fill func(w *Writer) error) error {
	err := wholefile.Write(path, 0o644, func(out io.Writer) error {
		w := &Writer{path: path, zip: zip.NewWriter(out)}
		if err := fill(w); err != nil {
			return err
		}
		if w.open != "" {
			return fmt.Errorf("%s: the array was not closed", w.open)
		}
		return w.zip.Close()
	})
	if err != nil {
		return fmt.Errorf("npz: %w", err)
	}
	return nil
}

// Put adds a whole array in C order; without a shape it is [len(data)].
func Put[T Number](w *Writer, name string, data []T, shape ...int) error {
	if len(shape) == 0 {
		shape = []int{len(data)}
	}
	e, err := NewEntry[T](w, name, shape...)
	if err != nil {
		return err
	}
	if err := e.Append(data); err != nil {
		return err
	}
	return e.Close()
}

// WriteNPY creates or replaces the .npy file at path with one array in C order; without a shape it is [len(data)].
func WriteNPY[T Number](path string, data []T, shape ...int) error {
	if len(shape) == 0 {
		shape = []int{len(data)}
	}
	if n, ok := byteLen(dtypeOf[T](), shape); !ok || n != int64(len(data)*dtypeOf[T]().Size()) {
		return fmt.Errorf("npz: %s: %d elements do not make shape %s", path, len(data), shapeText(shape))
	}
	err := wholefile.Write(path, 0o644, func(out io.Writer) error {
		if _, err := out.Write(formatHeader(descrOf[T](), shape)); err != nil {
			return err
		}
		return writeElements(out, data)
	})
	if err != nil {
		return fmt.Errorf("npz: %w", err)
	}
	return nil
}

// Entry is an array being written piece by piece, in C order.
type Entry[T Number] struct {
	w    *Writer
	out  io.Writer
	name string
	rest int64 // elements still to come
}

// NewEntry starts an array of a shape known in advance. An archive is written from front to back, so the entry must be
// closed before the next array is put.
func NewEntry[T Number](w *Writer, name string, shape ...int) (*Entry[T], error) {
	bytes, ok := byteLen(dtypeOf[T](), shape)
	switch {
	case w.open != "":
		return nil, fmt.Errorf("%s: close the array %s first", name, w.open)
	case name == "":
		return nil, fmt.Errorf("an array without a name")
	case slices.Contains(w.names, name):
		return nil, fmt.Errorf("%s: two arrays of this name", name)
	case !ok:
		return nil, fmt.Errorf("%s: impossible shape %s", name, shapeText(shape))
	}
	out, err := w.zip.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Store})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if _, err := out.Write(formatHeader(descrOf[T](), shape)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	w.names, w.open = append(w.names, name), name
	return &Entry[T]{w: w, out: out, name: name, rest: bytes / int64(dtypeOf[T]().Size())}, nil
}

// Append writes the next elements, usually some whole rows.
func (e *Entry[T]) Append(data []T) error {
	if int64(len(data)) > e.rest {
		return fmt.Errorf("%s: %d elements more than its shape takes", e.name, int64(len(data))-e.rest)
	}
	if err := writeElements(e.out, data); err != nil {
		return fmt.Errorf("%s: %w", e.name, err)
	}
	e.rest -= int64(len(data))
	return nil
}

// Close ends the array; it is an error while elements are missing.
func (e *Entry[T]) Close() error {
	if e.rest != 0 {
		return fmt.Errorf("%s: %d elements fewer than its shape takes", e.name, e.rest)
	}
	e.w.open = ""
	return nil
}

func dtypeOf[T Number]() DType {
	var zero T
	switch any(zero).(type) {
	case int8:
		return Int8
	case int16:
		return Int16
	case int32:
		return Int32
	case int64:
		return Int64
	case uint8:
		return Uint8
	case uint16:
		return Uint16
	case uint32:
		return Uint32
	case uint64:
		return Uint64
	case float32:
		return Float32
	default:
		return Float64
	}
}

func descrOf[T Number]() string {
	d := dtypeOf[T]()
	if d.Size() == 1 {
		return "|" + dtypes[d].code
	}
	return "<" + dtypes[d].code
}

// writeElements writes data little-endian, a chunk at a time.
func writeElements[T Number](out io.Writer, data []T) error {
	per := chunkBytes / dtypeOf[T]().Size()
	chunk := make([]byte, 0, min(len(data), per)*dtypeOf[T]().Size())
	for len(data) > 0 {
		n := min(len(data), per)
		var err error
		chunk, err = binary.Append(chunk[:0], binary.LittleEndian, data[:n])
		if err != nil {
			return err
		}
		if _, err := out.Write(chunk); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
