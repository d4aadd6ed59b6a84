package npz

import (
	"io"
	"slices"
)

// Float64s returns the whole array in C order: floating-point numbers of any width, exactly.
func (f *File) Float64s(name string) ([]float64, error) { return readAll(f, name, (*Rows).Float64) }

// Float32s returns the whole array in C order, of float32 or float16 only, so that nothing is rounded.
func (f *File) Float32s(name string) ([]float32, error) { return readAll(f, name, (*Rows).Float32) }

// Int64s returns the whole array in C order: integers of any width, or bool.
func (f *File) Int64s(name string) ([]int64, error) { return readAll(f, name, (*Rows).Int64) }

// Uint8s returns the whole array in C order, of uint8 only.
func (f *File) Uint8s(name string) ([]uint8, error) { return readAll(f, name, (*Rows).Uint8) }

// readAll grows its result by what has arrived, at most doubling, rather than by what the file declares.
func readAll[T any](f *File, name string, next func(*Rows, []T) (int, error)) ([]T, error) {
	r, err := f.flat(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if r.N == 0 {
		// No row will be read; still refuse the wrong type.
		if _, err := next(r, make([]T, 1)); err != io.EOF {
			return nil, err
		}
		return []T{}, nil
	}
	var all []T
	for len(all) < r.N {
		step := min(max(len(all), chunkBytes), r.N-len(all))
		all = slices.Grow(all, step)
		n, err := next(r, all[len(all):len(all)+step])
		if err != nil {
			return nil, err
		}
		all = all[:len(all)+n]
	}
	return all, nil
}
