package analysis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"nctrain/internal/npz"
)

// maxMeta bounds the meta array of a file in bytes; ours take some two hundred.
const maxMeta = 1 << 20

// File is a source over feature files, read in blocks at each sweep. Float16, 32 and 64 features, C or Fortran order, integer labels of any width are taken as
// numpy, PyTorch and scikit-learn write them.
type File struct {
	info                     Info
	features, labels, logits fileArray
	files                    []*npz.File
}

// fileArray is one array of an open file; the zero value is absent.
type fileArray struct {
	file *npz.File
	info npz.Info
}

// OpenFeatures opens a feature file: the path of an .npz with features [N,D], labels [N], optionally logits [N,C] and meta, or
// "features=F.npy,labels=L.npy[,logits=G.npy]" for loose arrays. The caller closes the File.
func OpenFeatures(spec string) (*File, error) {
	f := &File{info: Info{Name: spec}}
	var err error
	if strings.HasPrefix(spec, "features=") || strings.HasPrefix(spec, "labels=") || strings.HasPrefix(spec, "logits=") {
		err = f.openLoose(spec)
	} else {
		err = f.openArchive(spec)
	}
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *File) open(path string) (*npz.File, error) {
	file, err := npz.Open(path)
	if err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	f.files = append(f.files, file)
	return file, nil
}

func (f *File) openArchive(path string) error {
	file, err := f.open(path)
	if err != nil {
		return err
	}
	for name, array := range map[string]*fileArray{"features": &f.features, "labels": &f.labels, "logits": &f.logits} {
		if info, ok := file.Info(name); ok {
			*array = fileArray{file, info}
		}
	}
	f.info.Meta, err = readMeta(file)
	return err
}

func (f *File) openLoose(spec string) error {
	arrays := map[string]*fileArray{"features": &f.features, "labels": &f.labels, "logits": &f.logits}
	for _, part := range strings.Split(spec, ",") {
		name, path, _ := strings.Cut(part, "=")
		array := arrays[name]
		if array == nil || path == "" || array.file != nil {
			return fmt.Errorf("analysis: %s: cannot read %q: write features=F.npy,labels=L.npy[,logits=G.npy]", spec, part)
		}
		file, err := f.open(path)
		if err != nil {
			return err
		}
		all := file.Arrays()
		if len(all) != 1 {
			return fmt.Errorf("analysis: %s: holds %d arrays where one is wanted as %s: give an .npy file", path, len(all), name)
		}
		*array = fileArray{file, all[0]}
	}
	if f.features.file != nil {
		f.info.Name = f.features.file.Path()
	}
	return nil
}

// check holds shapes and types against each other.
func (f *File) check() error {
	wrong := func(array string, a fileArray, want string) error {
		if a.file == nil {
			return fmt.Errorf("analysis: %s: there is no array %s: give %s", f.info.Name, array, want)
		}
		return fmt.Errorf("analysis: %s: array %s: found %s, want %s: save it so", a.file.Path(), array, a.info, want)
	}
	const wantFeatures, wantLabels = "floating-point features [N,D]", "integer labels [N]"
	if f.features.file == nil || !f.features.info.DType.IsFloat() || len(f.features.info.Shape) != 2 {
		return wrong("features", f.features, wantFeatures)
	}
	f.info.N, f.info.D = f.features.info.Shape[0], f.features.info.Shape[1]
	switch f.features.info.DType {
	case npz.Float16:
		f.info.Type = Float16
	case npz.Float64:
		f.info.Type = Float64
	}
	if err := f.info.validate(); err != nil {
		return err
	}
	l := f.labels.info
	if f.labels.file == nil || !l.DType.IsInteger() || len(l.Shape) == 0 || l.Shape[0] != f.info.N || l.Len() != f.info.N {
		return wrong("labels", f.labels, fmt.Sprintf("integer labels [%d]", f.info.N))
	}
	if g := f.logits.info; f.logits.file != nil {
		if !g.DType.IsFloat() || len(g.Shape) != 2 || g.Shape[0] != f.info.N || g.Shape[1] < 1 {
			return wrong("logits", f.logits, fmt.Sprintf("floating-point logits [%d,C]", f.info.N))
		}
		f.info.C = g.Shape[1]
	}
	return nil
}

// Info describes the file.
func (f *File) Info() Info { return f.info }

// Close closes what OpenFeatures opened.
func (f *File) Close() error {
	var err error
	for _, file := range f.files {
		err = errors.Join(err, file.Close())
	}
	return err
}

// Sweep reads the file from its first row to its last, with memory for one block.
func (f *File) Sweep(ctx context.Context, visit func(*Block) error) (err error) {
	features, err := openRows(f.features)
	if err != nil {
		return err
	}
	defer features.Close()
	labels, err := openRows(f.labels)
	if err != nil {
		return err
	}
	defer labels.Close()
	b := Block{Features: make([]float64, blockRows*f.info.D), Labels: make([]int64, blockRows)}
	var logits *npz.Rows
	if f.info.HasLogits() {
		if logits, err = openRows(f.logits); err != nil {
			return err
		}
		defer logits.Close()
		b.Logits = make([]float64, blockRows*f.info.C)
	}
	for at := 0; at < f.info.N; at += blockRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(blockRows, f.info.N-at)
		b.Start, b.N = at, n
		b.Features, b.Labels = b.Features[:n*f.info.D], b.Labels[:n]
		if err := readFull(features.Float64, b.Features, n); err != nil {
			return fmt.Errorf("analysis: %w", err)
		}
		if err := readFull(labels.Int64, b.Labels, n); err != nil {
			return fmt.Errorf("analysis: %w", err)
		}
		if logits != nil {
			b.Logits = b.Logits[:n*f.info.C]
			if err := readFull(logits.Float64, b.Logits, n); err != nil {
				return fmt.Errorf("analysis: %w", err)
			}
		}
		if err := visit(&b); err != nil {
			return err
		}
	}
	return nil
}

func openRows(a fileArray) (*npz.Rows, error) {
	rows, err := a.file.Rows(a.info.Name)
	if err != nil {
		return nil, fmt.Errorf("analysis: %w", err)
	}
	return rows, nil
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

// readMeta reads the meta array: JSON as uint8; absent is the zero Meta.
func readMeta(file *npz.File) (m Meta, err error) {
	info, ok := file.Info("meta")
	if !ok {
		return m, nil
	}
	if info.DType != npz.Uint8 || info.Len() > maxMeta {
		return m, fmt.Errorf("analysis: %s: array meta: found %s, want JSON as at most %d uint8: leave meta out or write it so", file.Path(), info, maxMeta)
	}
	text, err := file.Uint8s("meta")
	if err != nil {
		return m, fmt.Errorf("analysis: %w", err)
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("analysis: %s: array meta is no JSON object of checkpoint, epoch, set, split, version (%v): leave meta out or write it so", filepath.Clean(file.Path()), err)
	}
	return m, nil
}
