// Package safetensors reads tensors of .safetensors files as rows, with memory for one block.
//
// The header is parsed by github.com/nlpodyssey/safetensors. Its readers want the whole file as one buffer and hold the header against that, so the length in front of
// the header and the place of each tensor are held against the file here, and internal/npz streams the rows.
//
// Format: https://huggingface.co/docs/safetensors/index#format
package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/nlpodyssey/safetensors"

	"nctrain/internal/npz"
)

// maxHeaderBytes is the format's own limit.
const maxHeaderBytes = 100_000_000

// dtypes gives the element types of the format that npz reads, which are all of those that the library knows.
var dtypes = map[safetensors.DType]npz.DType{
	safetensors.BOOL: npz.Bool, safetensors.U8: npz.Uint8, safetensors.I8: npz.Int8, safetensors.I16: npz.Int16, safetensors.U16: npz.Uint16,
	safetensors.I32: npz.Int32, safetensors.U32: npz.Uint32, safetensors.I64: npz.Int64, safetensors.U64: npz.Uint64,
	safetensors.F16: npz.Float16, safetensors.BF16: npz.BFloat16, safetensors.F32: npz.Float32, safetensors.F64: npz.Float64,
}

// Open opens a .safetensors file: its tensors as arrays of their names, and its metadata. The caller closes the File.
func Open(path string) (file *npz.File, metadata map[string]string, err error) {
	file, err = npz.OpenRaw("safetensors", path, func(f io.ReaderAt, size int64) (tensors []npz.Raw, err error) {
		if tensors, metadata, err = readHeader(f, size); err != nil {
			return nil, fmt.Errorf("safetensors: %s: %w: is it a whole .safetensors file?", path, err)
		}
		return tensors, nil
	})
	return file, metadata, err
}

// readHeader parses the header of a file of size bytes. The library panics on no input known, but it reads foreign bytes, so a panic becomes an error.
func readHeader(f io.ReaderAt, size int64) (tensors []npz.Raw, metadata map[string]string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged header: %v", p)
		}
	}()
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
	var header safetensors.Metadata
	if err := json.Unmarshal(text, &header); err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	for name, info := range header.Tensors() {
		raw := npz.Raw{Info: npz.Info{Name: name, DType: dtypes[info.DType], Descr: info.DType.String(), Shape: []int{}}}
		elements := uint64(1)
		for _, dim := range info.Shape {
			if dim > math.MaxInt { // npz holds the product of all against the file
				return nil, nil, fmt.Errorf("%s: impossible shape %v", name, info.Shape)
			}
			raw.Shape = append(raw.Shape, int(dim))
			elements *= dim
		}
		begin, end := info.DataOffsets[0], info.DataOffsets[1]
		if begin > end || end > uint64(size)-8-length {
			return nil, nil, fmt.Errorf("%s: its bytes %d..%d are outside the file's %d: it was cut short, or is not whole yet", name, begin, end, uint64(size)-8-length)
		}
		if want := elements * info.DType.Size(); want != end-begin {
			return nil, nil, fmt.Errorf("%s: %s %v takes %d bytes, the header gives it %d", name, info.DType, info.Shape, want, end-begin)
		}
		raw.Offset = int64(8 + length + begin)
		tensors = append(tensors, raw)
	}
	return tensors, header.Metadata(), nil
}
