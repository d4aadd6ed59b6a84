package nn

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"nctrain/kernels"
)

// DType is an element type at the file boundary, by its safetensors name.
type DType string

const (
	F32 DType = "F32"
	F64 DType = "F64"
	I32 DType = "I32"
	I64 DType = "I64"
)

// Size is the bytes of one element.
func (t DType) Size() int {
	if t == F32 || t == I32 {
		return 4
	}
	return 8
}

// Tensor is a named array in PyTorch's layout (weights OIHW), row-major, little-endian.
type Tensor struct {
	Name  string
	DType DType
	Dims  []int
	Data  []byte
}

// Len is the number of elements.
func (t Tensor) Len() int { return len(t.Data) / t.DType.Size() }

// NewTensor wraps a copy-free view of data.
func NewTensor[T float32 | float64 | int32 | int64](name string, data []T, dims ...int) Tensor {
	t := Tensor{Name: name, Dims: dims}
	switch any(*new(T)).(type) {
	case float32:
		t.DType = F32
	case float64:
		t.DType = F64
	case int32:
		t.DType = I32
	default:
		t.DType = I64
	}
	if len(data) > 0 {
		t.Data = unsafe.Slice((*byte)(unsafe.Pointer(&data[0])), len(data)*t.DType.Size())
	}
	return t
}

// View is the tensor's elements; it panics where T is not their type.
func View[T float32 | float64 | int32 | int64](t Tensor) []T {
	if want := NewTensor[T]("", nil).DType; want != t.DType {
		panic(fmt.Sprintf("nn: %s is %s, not %s", t.Name, t.DType, want))
	}
	if len(t.Data) == 0 {
		return nil
	}
	if uintptr(unsafe.Pointer(&t.Data[0]))%uintptr(t.DType.Size()) != 0 {
		t.Data = slices.Clone(t.Data)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&t.Data[0])), t.Len())
}

// Hash is the identity of a set of weights (SPEC 8): SHA-256 over the tensors sorted by name, each as its name, element type, shape and bytes.
func Hash(tensors []Tensor) string {
	sorted := slices.Clone(tensors)
	slices.SortFunc(sorted, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	h := sha256.New()
	for _, t := range sorted {
		fmt.Fprintf(h, "%s\x00%s\x00%v\x00", t.Name, t.DType, t.Dims)
		h.Write(t.Data)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// permute copies between PyTorch's OIHW and the devices' KRSC (= OHWI), and converts to To. Other ranks are the same in both.
func permute[To, From float32 | float64](dst []To, src []From, oihw []int, toKRSC bool) {
	if len(oihw) != 4 {
		for i, v := range src {
			dst[i] = To(v)
		}
		return
	}
	k, c, taps := oihw[0], oihw[1], oihw[2]*oihw[3]
	for o := range k {
		for i := range c {
			for t := range taps {
				a, b := (o*c+i)*taps+t, (o*taps+t)*c+i
				if toKRSC {
					dst[b] = To(src[a])
				} else {
					dst[a] = To(src[b])
				}
			}
		}
	}
}

// upload puts a tensor on the device in the device's layout and precision.
func upload(dev kernels.Device, dst kernels.Buffer, t Tensor, p kernels.Precision) error {
	switch {
	case t.DType == I64:
		return dev.Upload(dst, t.Data)
	case t.DType == F32 && p == kernels.FP64:
		return uploadAs[float64](dev, dst, View[float32](t), t.Dims)
	case t.DType == F32:
		return uploadAs[float32](dev, dst, View[float32](t), t.Dims)
	case p == kernels.FP64:
		return uploadAs[float64](dev, dst, View[float64](t), t.Dims)
	}
	return uploadAs[float32](dev, dst, View[float64](t), t.Dims)
}

// uploadAs rounds or widens the elements to To while it permutes them.
func uploadAs[To, From float32 | float64](dev kernels.Device, dst kernels.Buffer, from []From, dims []int) error {
	out := make([]To, len(from))
	permute(out, from, dims, true)
	return kernels.Upload(dev, dst, out)
}

// download reads a tensor back, in PyTorch's layout and the device's precision.
func download(dev kernels.Device, src kernels.Buffer, name string, dims []int, typ kernels.Type, p kernels.Precision) (Tensor, error) {
	n := 1
	for _, d := range dims {
		n *= d
	}
	switch {
	case typ == kernels.Int64:
		out := make([]int64, n)
		err := kernels.Download(dev, out, src)
		return NewTensor(name, out, dims...), err
	case p == kernels.FP64:
		return downloadAs[float64](dev, src, name, dims, n)
	}
	return downloadAs[float32](dev, src, name, dims, n)
}

func downloadAs[T float32 | float64](dev kernels.Device, src kernels.Buffer, name string, dims []int, n int) (Tensor, error) {
	raw, out := make([]T, n), make([]T, n)
	if err := kernels.Download(dev, raw, src); err != nil {
		return Tensor{}, fmt.Errorf("%s: %w", name, err)
	}
	permute(out, raw, dims, false)
	return NewTensor(name, out, dims...), nil
}
