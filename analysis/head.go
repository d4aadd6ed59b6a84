package analysis

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// Head is the last linear layer: logits = W h + b.
type Head struct {
	// Name stands in messages.
	Name string
	// C classes, D features.
	C, D int
	// Weight [C,D], row-major; Bias [C], nil where the layer has none.
	Weight, Bias []float64
	// Type in which the weights are stored.
	Type DType
	Meta Meta
}

// NewHead makes a head of a weight [C,D] and a bias [C] (nil for none) of either float type. An error where the sizes do not fit.
func NewHead[T float32 | float64](name string, c, d int, weight, bias []T, meta Meta) (*Head, error) {
	if c < 1 || d < 1 || len(weight) != c*d || (bias != nil && len(bias) != c) {
		return nil, fmt.Errorf("analysis: %s: %d weights and %d biases are no head of %d classes and %d features: give weight [C,D] and bias [C]",
			name, len(weight), len(bias), c, d)
	}
	h := &Head{Name: name, C: c, D: d, Weight: widen(nil, weight), Type: Float32, Meta: meta}
	if _, is64 := any(weight).([]float64); is64 {
		h.Type = Float64
	}
	if bias != nil {
		h.Bias = widen(nil, bias)
	}
	for i, x := range slices.Concat(h.Weight, h.Bias) {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("analysis: %s: value %d of the head is %g: take a checkpoint that has not diverged", name, i, x)
		}
	}
	return h, nil
}

// Logits computes dst [n,C] = features [n,D] W^T + b in float64.
func (h *Head) Logits(dst, features []float64, n int) {
	if n == 0 {
		return
	}
	for i := range n {
		row := dst[i*h.C : (i+1)*h.C]
		if h.Bias == nil {
			clear(row)
		} else {
			copy(row, h.Bias)
		}
	}
	blas64.Gemm(blas.NoTrans, blas.Trans, 1,
		blas64.General{Rows: n, Cols: h.D, Stride: h.D, Data: features},
		blas64.General{Rows: h.C, Cols: h.D, Stride: h.D, Data: h.Weight}, 1,
		blas64.General{Rows: n, Cols: h.C, Stride: h.C, Data: dst})
}

// WithLogits gives src itself where it carries logits, and otherwise a source that adds W h + b to each block.
func WithLogits(src Source, h *Head) Source {
	if src.Info().HasLogits() {
		return src
	}
	return &headed{src, h}
}

type headed struct {
	Source
	head *Head
}

func (s *headed) Info() Info {
	info := s.Source.Info()
	info.C = s.head.C
	return info
}

// Sweep computes the logits of blocks of a fixed size: a matrix product may round differently for other numbers of rows.
func (s *headed) Sweep(ctx context.Context, visit func(*Block) error) error {
	var logits []float64
	return SweepBlocks(ctx, s.Source, blockRows, func(b *Block) error {
		if need := b.N * s.head.C; cap(logits) < need {
			logits = make([]float64, need)
		}
		with := *b
		with.Logits = logits[:b.N*s.head.C]
		s.head.Logits(with.Logits, b.Features, b.N)
		return visit(&with)
	})
}
