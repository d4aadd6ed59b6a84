package analysis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"nctrain/internal/npz"
	"nctrain/internal/safetensors"
)

// roles are the arrays of a set of rows, by their names in files and specs.
var roles = []string{"features", "labels", "logits"}

// arrays are a part stored as arrays: one archive, or a loose .npy for each.
type arrays struct {
	info                     Info
	features, labels, logits fileArray
	files                    []*npz.File
}

// fileArray is one array of an open file; the zero value is absent.
type fileArray struct {
	file *npz.File
	info npz.Info
}

func (a *arrays) role(name string) *fileArray {
	return [...]*fileArray{&a.features, &a.labels, &a.logits}[slices.Index(roles, name)]
}

// openArchive opens an .npz or .safetensors.
func openArchive(path string) opener {
	return func() (rows, error) {
		file, meta, err := openArrays(path)
		if err != nil {
			return nil, err
		}
		a := &arrays{info: Info{Name: path, Meta: meta}, files: []*npz.File{file}}
		for _, name := range roles {
			if info, ok := file.Info(name); ok {
				*a.role(name) = fileArray{file, info}
			}
		}
		return a.checked()
	}
}

// openLoose opens one .npy for each role named; the features' path names the part.
func openLoose(paths map[string]string) opener {
	return func() (rows, error) {
		a := &arrays{info: Info{Name: paths["features"]}}
		for _, name := range roles {
			path, named := paths[name]
			if !named {
				continue
			}
			file, err := openNPY(path, name)
			if err != nil {
				return nil, errors.Join(err, a.Close())
			}
			a.files = append(a.files, file)
			*a.role(name) = fileArray{file, file.Arrays()[0]}
		}
		return a.checked()
	}
}

// openNPZ opens an .npz or .npy.
func openNPZ(path string) (*npz.File, error) {
	file, err := npz.Open(path)
	if errors.Is(err, npz.ErrPyTorch) {
		err = fmt.Errorf("%w: export features and head as nctrain features --help shows", err)
	}
	if err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	return file, nil
}

// openNPY opens a file that holds one array, wanted as role.
func openNPY(path, role string) (*npz.File, error) {
	file, err := openNPZ(path)
	if err != nil {
		return nil, err
	}
	if all := file.Arrays(); len(all) != 1 {
		return nil, errors.Join(fmt.Errorf("analysis: %s: holds %d arrays where one is wanted as %s: give an .npy file", path, len(all), role), file.Close())
	}
	return file, nil
}

// openArrays opens an .npz, .npy or .safetensors, and reads what it says of where it comes from.
func openArrays(path string) (file *npz.File, meta Meta, err error) {
	if filepath.Ext(path) == ".safetensors" {
		var metadata map[string]string
		if file, metadata, err = safetensors.Open(path); err != nil {
			return nil, meta, fmt.Errorf("analysis: %w", err)
		}
		meta, err = metaOf(path, metadata)
	} else {
		if file, err = openNPZ(path); err != nil {
			return nil, meta, err
		}
		meta, err = readMeta(file)
	}
	if err != nil {
		return nil, meta, errors.Join(err, file.Close())
	}
	return file, meta, nil
}

// checked closes what does not fit together.
func (a *arrays) checked() (rows, error) {
	if err := a.check(); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// check holds shapes and types against each other.
func (a *arrays) check() error {
	wrong := func(array string, found fileArray, want string) error {
		if found.file == nil {
			return fmt.Errorf("analysis: %s: there is no array %s: give %s", a.info.Name, array, want)
		}
		return fmt.Errorf("analysis: %s: array %s: found %s, want %s: save it so", found.file.Path(), array, found.info.Form(), want)
	}
	const wantFeatures = "floating-point features [N,D]"
	if a.features.file == nil || !a.features.info.DType.IsFloat() || len(a.features.info.Shape) != 2 {
		return wrong("features", a.features, wantFeatures)
	}
	a.info.N, a.info.D = a.features.info.Shape[0], a.features.info.Shape[1]
	a.info.Type = typeOf(a.features.info.DType)
	if err := a.info.validate(); err != nil {
		return err
	}
	l := a.labels.info
	if a.info.Unlabelled = a.labels.file == nil; !a.info.Unlabelled && (!l.DType.IsInteger() || len(l.Shape) == 0 || l.Shape[0] != a.info.N || l.Len() != a.info.N) {
		if l.DType.IsInteger() && len(l.Shape) == 1 {
			return fmt.Errorf("analysis: %s: array labels: %d labels beside %d rows of features: save those of the same images", a.labels.file.Path(), l.Len(), a.info.N)
		}
		return wrong("labels", a.labels, fmt.Sprintf("integer labels [%d]", a.info.N))
	}
	if g := a.logits.info; a.logits.file != nil {
		if !g.DType.IsFloat() || len(g.Shape) != 2 || g.Shape[0] != a.info.N || g.Shape[1] < 1 {
			return wrong("logits", a.logits, fmt.Sprintf("floating-point logits [%d,C]", a.info.N))
		}
		a.info.C = g.Shape[1]
	}
	return nil
}

// typeOf gives the type of floating-point elements.
func typeOf(stored npz.DType) DType {
	switch stored {
	case npz.Float16:
		return Float16
	case npz.BFloat16:
		return BFloat16
	case npz.Float64:
		return Float64
	}
	return Float32
}

func (a *arrays) about() Info { return a.info }

func (a *arrays) Close() error {
	var err error
	for _, file := range a.files {
		err = errors.Join(err, file.Close())
	}
	return err
}

func (a *arrays) sweep(ctx context.Context, from, to int, visit func(*Block) error) error {
	features, err := a.features.from(from)
	if err != nil {
		return err
	}
	defer features.Close()
	var labels, logits *npz.Rows
	if !a.info.Unlabelled {
		if labels, err = a.labels.from(from); err != nil {
			return err
		}
		defer labels.Close()
	}
	if a.info.HasLogits() {
		if logits, err = a.logits.from(from); err != nil {
			return err
		}
		defer logits.Close()
	}
	b := newBlock(a.info, to-from)
	if labels == nil {
		for i := range b.Labels {
			b.Labels[i] = -1
		}
	}
	for at := from; at < to; at += blockRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(blockRows, to-at)
		b.resize(a.info, at, n)
		err := readFull(features.Float64, b.Features, n)
		if err == nil && labels != nil {
			err = readFull(labels.Int64, b.Labels, n)
		}
		if err == nil && logits != nil {
			err = readFull(logits.Float64, b.Logits, n)
		}
		if err != nil {
			return fmt.Errorf("analysis: %w", err)
		}
		if err := visit(&b); err != nil {
			return err
		}
	}
	return nil
}

// from starts reading the array at a row.
func (a fileArray) from(row int) (*npz.Rows, error) {
	r, err := a.file.Rows(a.info.Name)
	if err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	if err := r.Skip(row); err != nil {
		return nil, errors.Join(fmt.Errorf("analysis: %w", err), r.Close())
	}
	return r, nil
}

// readFull reads exactly n rows into dst, whose size is that of n rows.
func readFull[T any](read func([]T) (int, error), dst []T, n int) error {
	width := len(dst) / n
	for done := 0; done < n; {
		k, err := read(dst[done*width:])
		if err != nil {
			if errors.Is(err, io.EOF) {
				return io.ErrUnexpectedEOF
			}
			return err
		}
		done += k
	}
	return nil
}
