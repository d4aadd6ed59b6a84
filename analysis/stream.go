package analysis

import (
	"context"
	"fmt"
	"math"
)

// DType is the type in which features are stored. It decides the eps of every floor; values are handed over as float64 without rounding.
type DType uint8

const (
	Float32 DType = iota
	Float16
	Float64
	// BFloat16 is float32 with 8 bits of precision, as PyTorch writes it to .safetensors.
	BFloat16
)

// Eps is the distance from 1 to the next larger value of the type.
func (t DType) Eps() float64 {
	switch t {
	case Float16:
		return 0x1p-10
	case Float64:
		return 0x1p-52
	case BFloat16:
		return 0x1p-7
	}
	return 0x1p-23
}

func (t DType) String() string {
	switch t {
	case Float16:
		return "float16"
	case Float64:
		return "float64"
	case BFloat16:
		return "bfloat16"
	}
	return "float32"
}

// ParseDType reads what String writes.
func ParseDType(name string) (DType, error) {
	for _, t := range []DType{Float16, BFloat16, Float32, Float64} {
		if t.String() == name {
			return t, nil
		}
	}
	return Float32, fmt.Errorf("%q is no type of features", name)
}

// Meta says where rows or a head come from. The zero value is a foreign file that tells nothing.
type Meta struct {
	// Checkpoint is the identity of the weights (SHA-256 in hex), empty where unknown.
	Checkpoint string `json:"checkpoint,omitempty"`
	// Epoch of the checkpoint, nil where unknown.
	Epoch *int `json:"epoch,omitempty"`
	// Set and Split name the data ("cifar100", "train").
	Set   string `json:"set,omitempty"`
	Split string `json:"split,omitempty"`
	// Normalization of the images, nil where unknown.
	Normalization *Normalization `json:"normalization,omitempty"`
	// Version of the program that wrote the file.
	Version string `json:"version,omitempty"`
}

// Normalization is what images scaled to [0,1] were normalised by, a number a channel.
type Normalization struct {
	Mean [3]float32 `json:"mean"`
	Std  [3]float32 `json:"std"`
}

// Info describes a source before it is swept.
type Info struct {
	// Name stands in messages: a file's path or a set's name.
	Name string
	// N rows, D features, C classes (columns of the logits; 0 where there are none).
	N, D, C int
	// Type of the stored features.
	Type DType
	// Unlabelled rows carry the label -1: their file holds none.
	Unlabelled bool
	Meta       Meta
}

// HasLogits tells whether blocks carry logits.
func (i Info) HasLogits() bool { return i.C > 0 }

// Block is a run of consecutive rows. It and its slices are valid only during the visit, and to be read only: they may be the source's own.
type Block struct {
	// Start is the index of the first row in its set.
	Start int
	// N rows.
	N int
	// Features [N,D] and Logits [N,C], row-major; Logits is nil where the source has none.
	Features, Logits []float64
	// Labels [N]: the class of each row. For OOD sets they are whatever the set carries.
	Labels []int64
	// borrowed: the slices are the source's own.
	borrowed bool
	// unread has the features and logits where they are not here but for Parts to read.
	unread blockReader
}

// Source is a set of rows that can be swept any number of times, always in the same order.
type Source interface {
	Info() Info
	// Sweep hands every row to visit once, in blocks of any size, from the first row to the last. It stops at visit's first error and
	// returns it as it is, and stops with ctx's error when ctx is done.
	Sweep(ctx context.Context, visit func(*Block) error) error
}

// Named is a source under the name its results get.
type Named struct {
	Name string
	Source
}

// SweepBlocks sweeps src in blocks of exactly size rows (the last may be shorter), whatever blocks src itself makes. What is summed block by
// block is then the same to the bit for every kind of source.
func SweepBlocks(ctx context.Context, src Source, size int, visit func(*Block) error) error {
	info := src.Info()
	var held Block // rows not yet handed on; grows to at most size rows
	flush := func() error {
		if held.N == 0 {
			return nil
		}
		err := visit(&held)
		held = Block{Features: held.Features[:0], Logits: held.Logits[:0], Labels: held.Labels[:0]}
		return err
	}
	err := src.Sweep(ctx, func(b *Block) error {
		for at := 0; at < b.N; {
			take := min(size-held.N, b.N-at)
			if take == size { // nothing held and a whole block ahead: no copy
				if err := visit(b.Rows(info.D, info.C, at, at+take)); err != nil {
					return err
				}
				at += take
				continue
			}
			part := b.Rows(info.D, info.C, at, at+take)
			if held.N == 0 {
				held.Start = part.Start
			}
			held.Features = append(held.Features, part.Features...)
			held.Logits = append(held.Logits, part.Logits...)
			held.Labels = append(held.Labels, part.Labels...)
			held.N += take
			at += take
			if held.N == size {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// Rows are rows from..to-1 of b, of d features and c logits; they share its memory.
func (b *Block) Rows(d, c, from, to int) *Block {
	s := &Block{Start: b.Start + from, N: to - from, Features: b.Features[from*d : to*d], Labels: b.Labels[from:to]}
	if b.Logits != nil {
		s.Logits = b.Logits[from*c : to*c]
	}
	return s
}

// Parts shows the rows of b, of d features and c logits, in parts of at most size rows, which are gone after visit.
func (b *Block) Parts(d, c, size int, visit func(*Block)) {
	for from := 0; from < b.N; from += size {
		to := min(from+size, b.N)
		if b.unread == nil {
			visit(b.Rows(d, c, from, to))
			continue
		}
		part := blocks.Get().(*Block)
		b.unread.readBlock(part, b.Start+from, b.Start+to)
		visit(part)
		part.giveBack()
	}
}

// Argmax is the index of the largest of x, the first of equals, as numpy's argmax.
func Argmax[T float32 | float64](x []T) int {
	best, at := T(math.Inf(-1)), 0
	for i, v := range x {
		if v > best {
			best, at = v, i
		}
	}
	return at
}

func (i Info) validate() error {
	switch {
	case i.N < 1:
		return fmt.Errorf("analysis: %s: holds no rows: give a set with at least one", i.Name)
	case i.D < 1:
		return fmt.Errorf("analysis: %s: features have no columns: give features [N,D] with D >= 1", i.Name)
	}
	return nil
}
