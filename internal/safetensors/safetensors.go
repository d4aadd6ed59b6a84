// Package safetensors reads the header of .safetensors files, and their tensors as rows, with memory for one block (internal/npz streams them).
//
// Every length and place that a header claims is held against the file before anything is allocated by it.
//
// Format: https://huggingface.co/docs/safetensors/index#format
package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"

	"nctrain/internal/npz"
)

// maxHeaderBytes is the format's own limit.
const maxHeaderBytes = 100_000_000

// metadataKey is the one name in a header that is no tensor's.
const metadataKey = "__metadata__"

// dtypes gives the element types of the format that are read.
var dtypes = map[string]npz.DType{
	"BOOL": npz.Bool, "U8": npz.Uint8, "I8": npz.Int8, "I16": npz.Int16, "U16": npz.Uint16, "I32": npz.Int32, "U32": npz.Uint32, "I64": npz.Int64, "U64": npz.Uint64,
	"F16": npz.Float16, "BF16": npz.BFloat16, "F32": npz.Float32, "F64": npz.Float64,
}

// Open opens a .safetensors file: its tensors as arrays of their names, and its metadata. The caller closes the File.
func Open(path string) (file *npz.File, metadata map[string]string, err error) {
	file, err = npz.OpenRaw("safetensors", path, func(f io.ReaderAt, size int64) (tensors []npz.Raw, err error) {
		if tensors, metadata, err = ReadHeader(f, size); err != nil {
			return nil, fmt.Errorf("safetensors: %s: %w: is it a whole .safetensors file?", path, err)
		}
		return tensors, nil
	})
	return file, metadata, err
}

// ReadHeader gives the tensors of a file of size bytes in the order of the header, Descr being the format's name of their type, and the metadata. An error, which does not name the file, where
// a tensor is described twice or not wholly, does not fill the bytes that it is given, or where those bytes are outside the file, overlap or leave a hole, which the format rules out.
func ReadHeader(f io.ReaderAt, size int64) (tensors []npz.Raw, metadata map[string]string, err error) {
	var prefix [8]byte
	if _, err := f.ReadAt(prefix[:], 0); err != nil {
		return nil, nil, fmt.Errorf("its %d bytes hold no length of a header", size)
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > maxHeaderBytes || int64(length) > size-8 {
		return nil, nil, fmt.Errorf("the file's %d bytes do not hold the header of %d bytes that its first 8 promise", size, length)
	}
	text := make([]byte, length)
	if _, err := f.ReadAt(text, 8); err != nil && err != io.EOF {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, nil, fmt.Errorf("header: found %v where an object should begin (%v)", open, err)
	}
	seen := map[string]bool{}
	for d.More() {
		key, err := d.Token() // a string: the decoder checks it
		if err != nil {
			return nil, nil, fmt.Errorf("header: %w", err)
		}
		name := key.(string)
		if seen[name] {
			return nil, nil, fmt.Errorf("header: two entries are named %q: which is meant cannot be told", name)
		}
		seen[name] = true
		if name == metadataKey {
			if err := d.Decode(&metadata); err != nil {
				return nil, nil, fmt.Errorf("header: %s: %w", name, err)
			}
			continue
		}
		var t tensor
		if err := d.Decode(&t); err != nil {
			return nil, nil, fmt.Errorf("header: %s: %w", name, err)
		}
		raw, err := t.locate(name, uint64(size)-8-length)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		raw.Offset += 8 + int64(length)
		tensors = append(tensors, raw)
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, nil, fmt.Errorf("header: it goes on after its object")
	}
	return tensors, metadata, contiguous(tensors, 8+int64(length), size)
}

// tensor is one as the header describes it.
type tensor struct {
	DType   string   `json:"dtype"`
	Shape   []uint64 `json:"shape"`
	Offsets []uint64 `json:"data_offsets"` // from the end of the header
}

// locate holds the description against the bytes after the header; its Offset is from there.
func (t tensor) locate(name string, dataBytes uint64) (npz.Raw, error) {
	dtype, known := dtypes[t.DType]
	switch {
	case t.DType == "" || t.Shape == nil || len(t.Offsets) != 2:
		return npz.Raw{}, fmt.Errorf("the header does not give its dtype, its shape and two data_offsets")
	case !known:
		return npz.Raw{}, fmt.Errorf("element type %s is not read: write it as float32", t.DType)
	}
	raw := npz.Raw{Info: npz.Info{Name: name, DType: dtype, Descr: t.DType, Shape: []int{}}}
	for _, dim := range t.Shape {
		raw.Shape = append(raw.Shape, int(min(dim, math.MaxInt)))
	}
	want, ok := raw.Bytes()
	if !ok || slices.Max(append(t.Shape, 0)) > math.MaxInt {
		return npz.Raw{}, fmt.Errorf("impossible shape %v", t.Shape)
	}
	begin, end := t.Offsets[0], t.Offsets[1]
	if begin > end || end > dataBytes {
		return npz.Raw{}, fmt.Errorf("its bytes %d..%d are outside the file's %d: it was cut short, or is not whole yet", begin, end, dataBytes)
	}
	if uint64(want) != end-begin {
		return npz.Raw{}, fmt.Errorf("%s %v takes %d bytes, the header gives it %d", t.DType, t.Shape, want, end-begin)
	}
	raw.Offset = int64(begin)
	return raw, nil
}

// contiguous checks that tensors fill the bytes from..to of the file, each byte once.
func contiguous(tensors []npz.Raw, from, to int64) error {
	sorted := slices.Clone(tensors)
	slices.SortStableFunc(sorted, func(a, b npz.Raw) int {
		n, _ := a.Bytes()
		m, _ := b.Bytes()
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(n, m))
	})
	for _, t := range sorted {
		if t.Offset != from {
			return fmt.Errorf("%s: begins at byte %d of the file, what is before it ends at %d", t.Name, t.Offset, from)
		}
		n, _ := t.Bytes()
		from += n
	}
	if from != to {
		return fmt.Errorf("the tensors end at byte %d of the file's %d", from, to)
	}
	return nil
}
