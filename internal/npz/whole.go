package npz

import (
	"io"
	"slices"
)

// Float64s returns the whole array in C order: floating-point numbers of any width, exactly.
func (f *File) Float64s(name string) ([]float64, error) { return readAll(f, name, (*Rows).Float64) }

// Float32s returns the whole array in C order, of float32 or a narrower type only, so that nothing is rounded.
func (f *File) Float32s(name string) ([]float32, error) { return readAll(f, name, (*Rows).Float32) }

// Int64s returns the whole array in C order: integers of any width, or bool.
func (f *File) Int64s(name string) ([]int64, error) { return readAll(f, name, (*Rows).Int64) }

// Uint8s returns the whole array in C order, of uint8 only.
func (f *File) Uint8s(name string) ([]uint8, error) { return readAll(f, name, (*Rows).Uint8) }

// First returns the next n rows of r, or as many as there are, read by one of its methods: First(r, 100, (*Rows).Uint8).
// The result grows by what has arrived, at most doubling, rather than by what the file declares.
func First[T any](r *Rows, n int, read func(*Rows, []T) (int, error)) ([]T, error) {
	var rows []T
	for done := 0; done < n; {
		step := min(max(done, chunkBytes/r.D, 1), n-done, max(r.N-r.next, 1))
		rows = slices.Grow(rows, step*r.D)
		got, err := read(r, rows[done*r.D:(done+step)*r.D])
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		done += got
		rows = rows[:done*r.D]
	}
	return rows, nil
}

func readAll[T any](f *File, name string, read func(*Rows, []T) (int, error)) ([]T, error) {
	r, err := f.flat(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// At least one read, which refuses the wrong type of an empty array too.
	return First(r, max(r.N, 1), read)
}
