package safetensors

import (
	"fmt"
	"io"

	"github.com/nlpodyssey/safetensors"
)

// Tensor is a named array to write: DType is the format's name of its element type, Data its elements in C order, little-endian.
type Tensor struct {
	Name, DType string
	Shape       []int
	Data        []byte
}

// Write writes a whole file of tensors of different names. An error where the format has no such element type.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	views := make(map[string]view, len(tensors))
	for _, t := range tensors {
		dtype, err := safetensors.ParseDType(t.DType)
		if err != nil {
			return fmt.Errorf("safetensors: %s: %w", t.Name, err)
		}
		shape := make([]uint64, len(t.Shape))
		for i, d := range t.Shape {
			shape[i] = uint64(d)
		}
		views[t.Name] = view{dtype, shape, t.Data}
	}
	return safetensors.SerializeToWriter(views, metadata, w)
}

// view is a tensor as the library writes it. Its own refuses scalars (shape []), which num_batches_tracked is.
type view struct {
	dtype safetensors.DType
	shape []uint64
	data  []byte
}

func (v view) DType() safetensors.DType { return v.dtype }
func (v view) Shape() []uint64          { return v.shape }
func (v view) Data() []byte             { return v.data }
func (v view) DataLen() uint64          { return uint64(len(v.data)) }
