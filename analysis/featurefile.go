package analysis

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"nctrain/internal/npz"
)

// FeatureWriter takes the rows of a feature file.
type FeatureWriter struct {
	info     Info
	features *npz.Entry[float32]
	// spool holds the logits until the features, which come first in the file, are complete: memory does not grow with N.
	spool  *bufio.Writer
	labels []int64
	bytes  []byte
}

// WriteFeatures writes a feature file of info.N rows, info.D features, info.C logits and info.Meta: features and logits in float32, labels in int64. fill appends the rows
// in order. The file is whole or absent: it takes its name when fill has given all rows.
func WriteFeatures(path string, info Info, fill func(*FeatureWriter) error) error {
	spool, err := os.CreateTemp(filepath.Dir(path), ".logits-*")
	if err != nil {
		return fmt.Errorf("analysis: %s: no room for the logits beside it (%w): choose a folder that can be written", path, err)
	}
	defer os.Remove(spool.Name())
	defer spool.Close()
	err = npz.Write(path, func(w *npz.Writer) error {
		features, err := npz.NewEntry[float32](w, "features", info.N, info.D)
		if err != nil {
			return err
		}
		f := &FeatureWriter{info: info, features: features, spool: bufio.NewWriterSize(spool, 1<<20)}
		if err := fill(f); err != nil {
			return err
		}
		if len(f.labels) != info.N {
			return fmt.Errorf("%d of %d rows were given", len(f.labels), info.N)
		}
		if err := features.Close(); err != nil {
			return err
		}
		if err := f.spool.Flush(); err != nil {
			return err
		}
		if err := f.copyLogits(w, spool); err != nil {
			return err
		}
		if err := npz.Put(w, "labels", f.labels); err != nil {
			return err
		}
		return PutMeta(w, info.Meta)
	})
	if err != nil {
		return fmt.Errorf("analysis: %w", err)
	}
	return nil
}

// Append writes the next rows: features [n,D], logits [n,C], labels [n].
func (f *FeatureWriter) Append(features, logits []float32, labels []int64) error {
	n := len(labels)
	if len(features) != n*f.info.D || len(logits) != n*f.info.C || len(f.labels)+n > f.info.N {
		return fmt.Errorf("rows %d..%d: %d features and %d logits do not fit [%d,%d] and [%d,%d]", len(f.labels), len(f.labels)+n, len(features), len(logits),
			f.info.N, f.info.D, f.info.N, f.info.C)
	}
	f.labels = append(f.labels, labels...)
	f.bytes = f.bytes[:0]
	for _, x := range logits {
		f.bytes = binary.LittleEndian.AppendUint32(f.bytes, math.Float32bits(x))
	}
	if _, err := f.spool.Write(f.bytes); err != nil {
		return err
	}
	return f.features.Append(features)
}

func (f *FeatureWriter) copyLogits(w *npz.Writer, spool *os.File) error {
	if f.info.C == 0 {
		return nil
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	entry, err := npz.NewEntry[float32](w, "logits", f.info.N, f.info.C)
	if err != nil {
		return err
	}
	in := bufio.NewReaderSize(spool, 1<<20)
	raw, row := make([]byte, 4*f.info.C), make([]float32, f.info.C)
	for range f.info.N {
		if _, err := io.ReadFull(in, raw); err != nil {
			return errors.Join(fmt.Errorf("the logits spooled beside the file are cut short"), err)
		}
		for j := range row {
			row[j] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*j:]))
		}
		if err := entry.Append(row); err != nil {
			return err
		}
	}
	return entry.Close()
}
