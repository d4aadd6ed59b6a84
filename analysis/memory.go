package analysis

import (
	"context"
	"fmt"

	"nctrain/internal/vector"
)

// blockRows is the number of rows a source of this package hands over at once: half a MB to a few of float64 at usual widths.
const blockRows = 1024

// Memory is a source over arrays in memory, float32 (as a network gives them) or float64.
type Memory[T float32 | float64] struct {
	info             Info
	features, logits []T
	labels           []int64
}

// NewMemory makes a source of features [N,D], logits [N,C] (nil where there are none) and labels [N], row-major; the arrays are kept, not
// copied. Name and Meta are taken from info, the rest of it from the arrays: N from the labels, D and C by division. An error where the sizes do
// not fit each other.
func NewMemory[T float32 | float64](info Info, features, logits []T, labels []int64) (*Memory[T], error) {
	info.N = len(labels)
	if info.N == 0 {
		return nil, info.validate()
	}
	info.D, info.C = len(features)/info.N, len(logits)/info.N
	if info.D*info.N != len(features) || info.C*info.N != len(logits) {
		return nil, fmt.Errorf("analysis: %s: %d features and %d logits do not divide into %d rows: give arrays [N,D], [N,C] and [N]",
			info.Name, len(features), len(logits), info.N)
	}
	if err := info.validate(); err != nil {
		return nil, err
	}
	info.Type = Float32
	if _, is64 := any(features).([]float64); is64 {
		info.Type = Float64
	}
	return &Memory[T]{info, features, logits, labels}, nil
}

// Info describes the arrays.
func (m *Memory[T]) Info() Info { return m.info }

// Sweep hands over the rows in blocks of a fixed size.
func (m *Memory[T]) Sweep(ctx context.Context, visit func(*Block) error) error {
	return m.SweepRows(ctx, 0, m.info.N, visit)
}

// SweepRows hands over rows from..to-1.
func (m *Memory[T]) SweepRows(ctx context.Context, from, to int, visit func(*Block) error) error {
	var b Block
	for at := from; at < to; at += blockRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		m.readBlock(&b, at, min(at+blockRows, to))
		if err := visit(&b); err != nil {
			return err
		}
	}
	return nil
}

func (m *Memory[T]) readBlock(b *Block, from, to int) {
	features, logits, labels := m.features[from*m.info.D:to*m.info.D], m.logits[from*m.info.C:to*m.info.C], m.labels[from:to]
	if wide, ok := any(features).([]float64); ok {
		*b = Block{Start: from, N: to - from, Features: wide, Labels: labels, borrowed: true}
		if m.info.C > 0 {
			b.Logits = any(logits).([]float64)
		}
		return
	}
	b.Start, b.N, b.Labels = from, to-from, labels
	b.Features = widen(b.Features, features)
	if m.info.C > 0 {
		b.Logits = widen(b.Logits, logits)
	}
}

func (m *Memory[T]) labelsOf(from, to int) []int64 { return m.labels[from:to] }

func widen[T float32 | float64](dst []float64, src []T) []float64 {
	if cap(dst) < len(src) {
		dst = make([]float64, len(src))
	}
	dst = dst[:len(src)]
	switch src := any(src).(type) {
	case []float32:
		vector.Widen(dst, src)
	case []float64:
		copy(dst, src)
	}
	return dst
}
