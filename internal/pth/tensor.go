package pth

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"nctrain/internal/half"
)

// DType is an element type, by PyTorch's name.
type DType string

const (
	Float16  DType = "float16"
	BFloat16 DType = "bfloat16"
	Float32  DType = "float32"
	Float64  DType = "float64"
	Int64    DType = "int64"
)

// size is the bytes of one element.
func (t DType) size() int64 {
	switch t {
	case Float16, BFloat16:
		return 2
	case Float32:
		return 4
	}
	return 8
}

// maxDims is above any weight's; PyTorch itself stops at 64.
const maxDims = 8

// storage is n elements of the archive.
type storage struct {
	file  *File
	entry *zip.File
	typ   DType
	n     int64
}

// Tensor is a view of a storage that lies within it, its bytes still in the file.
type Tensor struct {
	DType DType
	Dims  []int

	storage *storage
	offset  int64
	strides []int64 // elements
	n       int64   // elements
}

// newTensor checks the arguments of _rebuild_tensor_v2: storage, offset, size, stride, requires_grad, hooks.
func newTensor(args Tuple) (*Tensor, error) {
	s, isStorage := args[0].(*storage)
	offset, isOffset := args[1].(int64)
	dims, isDims := args[2].(Tuple)
	strides, isStrides := args[3].(Tuple)
	if !isStorage || !isOffset || !isDims || !isStrides || len(dims) != len(strides) || len(dims) > maxDims {
		return nil, errors.New("a tensor without storage, offset, size and stride")
	}
	t := &Tensor{DType: s.typ, Dims: make([]int, len(dims)), storage: s, offset: offset, strides: make([]int64, len(dims)), n: 1}
	if offset < 0 || offset > s.n {
		return nil, t.outside(dims, strides)
	}
	last := offset // the farthest element; products are held against s.n before they are taken
	for i := range dims {
		d, isInt := dims[i].(int64)
		stride, isStride := strides[i].(int64)
		if !isInt || !isStride || d < 0 || stride < 0 || (d > 0 && t.n > s.n/d) || (d > 1 && stride > (s.n-last)/(d-1)) {
			return nil, t.outside(dims, strides)
		}
		t.Dims[i], t.strides[i] = int(d), stride
		t.n *= d
		last += max(d-1, 0) * stride
	}
	if t.n > 0 && last >= s.n {
		return nil, t.outside(dims, strides)
	}
	return t, nil
}

func (t *Tensor) outside(dims, strides Tuple) error {
	return fmt.Errorf("a tensor of size %.80s, stride %.80s and offset %d does not lie within its storage of %d elements: save it again", fmt.Sprint(dims), fmt.Sprint(strides),
		t.offset, t.storage.n)
}

// Len is the number of elements.
func (t *Tensor) Len() int { return int(t.n) }

// Float32s reads the elements of a floating-point tensor, row-major: 16-bit ones widened, float64 rounded to nearest.
func (t *Tensor) Float32s() ([]float32, error) {
	var decode func([]byte) float32
	switch t.DType {
	case Float32:
		decode = func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) }
	case Float64:
		decode = func(b []byte) float32 { return float32(math.Float64frombits(binary.LittleEndian.Uint64(b))) }
	case BFloat16:
		decode = func(b []byte) float32 { return half.FromBFloat16(binary.LittleEndian.Uint16(b)) }
	case Float16:
		decode = func(b []byte) float32 { return half.FromBinary16(binary.LittleEndian.Uint16(b)) }
	default:
		return nil, fmt.Errorf("pth: %s: is %s, floating-point numbers are wanted here", t.storage.file.path, t.DType)
	}
	return gather(t, decode)
}

// Int64s reads the elements of an int64 tensor, row-major.
func (t *Tensor) Int64s() ([]int64, error) {
	if t.DType != Int64 {
		return nil, fmt.Errorf("pth: %s: is %s, int64 is wanted here", t.storage.file.path, t.DType)
	}
	return gather(t, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) })
}

// gather walks the view in row-major order.
func gather[T any](t *Tensor, decode func([]byte) T) ([]T, error) {
	content, err := t.storage.file.content(t.storage.entry)
	if err != nil {
		return nil, fmt.Errorf("pth: %s: %w", t.storage.file.path, err)
	}
	out := make([]T, t.n)
	size := t.DType.size()
	index := make([]int, len(t.Dims))
	at := t.offset
	for i := range out {
		out[i] = decode(content[at*size:])
		for d := len(index) - 1; d >= 0; d-- {
			index[d]++
			at += t.strides[d]
			if index[d] < t.Dims[d] {
				break
			}
			at -= t.strides[d] * int64(index[d])
			index[d] = 0
		}
	}
	return out, nil
}
