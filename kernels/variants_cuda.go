package kernels

import (
	"fmt"
	"math"
	"slices"

	"nctrain/kernels/cuda"
)

// What the card multiplies in. Operations without products that lose precision run as FP32 under each.
var cudaPrecisions = []Precision{FP32, TF32, BF16}

// cudaVariants are the rows for the cuda device; under each operation the preferred first. Each names a source of kernels/cuda, which holds its launch.
var cudaVariants = []Variant{
	{
		Op: ConvFprop, Name: "mma", Kind: CUDA, Precisions: []Precision{TF32, BF16}, Class: Float32Sum, Can: convTiles,
		Why: "implicit GEMM on the tensor cores, copies under way meanwhile",
	},
	{Op: ConvFprop, Name: "tiled", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: convTiles, Why: "implicit GEMM on the float32 units, tiles in shared memory"},
	{Op: ConvFprop, Name: "registers", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: convStem, Why: "the stem: a filter in registers, pixels by broadcast, each for three windows of a row"},
	{Op: ConvFprop, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: convOffsets, Why: "plain loops: the readable reference, for any number of channels"},
	{
		Op: ConvDgrad, Name: "mma", Kind: CUDA, Precisions: []Precision{TF32, BF16}, Class: Float32Sum, Can: dgradTiles,
		Why: "implicit GEMM on the tensor cores, one for each parity class of a stride",
	},
	{Op: ConvDgrad, Name: "tiled", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: dgradTiles, Why: "implicit GEMM on the float32 units, one for each parity class of a stride"},
	{Op: ConvDgrad, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: convOffsets, Why: "plain loops: the readable reference, for any number of channels"},
	{
		Op: ConvWgrad, Name: "mma", Kind: CUDA, Precisions: []Precision{TF32, BF16}, Class: Float32Sum, Can: slices.Concat(convTiles, wgradParts),
		Why: "implicit GEMM on the tensor cores over parts of the pixels, their sums added in order",
	},
	{Op: ConvWgrad, Name: "tiled", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: slices.Concat(convTiles, wgradParts), Why: "implicit GEMM on the float32 units over parts of the pixels, their sums added in order"},
	{Op: ConvWgrad, Name: "registers", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: slices.Concat(convStem, wgradParts), Why: "the stem: a filter's gradient in registers, pixels by broadcast"},
	{Op: ConvWgrad, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: slices.Concat(convOffsets, wgradParts), Why: "plain loops over parts of the pixels: the readable reference, for any number of channels"},
	{Op: ConvFpropBN, Name: "mma", Kind: CUDA, Precisions: []Precision{TF32, BF16}, Class: Float32Sum, Can: convTiles, Why: cudaNormalised},
	{Op: ConvFpropBN, Name: "tiled", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: convTiles, Why: cudaNormalised},
	{Op: ConvFpropBN, Name: "registers", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: convStem, Why: cudaNormalised},
	{Op: ConvFpropBN, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: convOffsets, Why: cudaNormalised},
	{Op: ConvFpropStats, Name: "mma", Kind: CUDA, Precisions: []Precision{TF32, BF16}, Class: Float32Sum, Can: convTiles, Why: cudaStats},
	{Op: ConvFpropStats, Name: "tiled", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: convTiles, Why: cudaStats},
	{Op: ConvFpropStats, Name: "registers", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: convStem, Why: cudaStats},
	{Op: ConvDgradAdd, Name: "mma", Kind: CUDA, Precisions: []Precision{TF32, BF16}, Class: Float32Sum, Can: dgradTiles, Why: cudaAdded},
	{Op: ConvDgradAdd, Name: "tiled", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: dgradTiles, Why: cudaAdded},
	{Op: ConvDgradAdd, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: convOffsets, Why: "plain loops: the readable reference, for any number of channels"},
	{Op: BNStats, Name: "two_pass", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: Needs{gridColumns}, Why: "each thread goes twice over eight rows in registers; threads and tasks are merged by Chan's formula in double"},
	{Op: BNStats, Name: "welford", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: Needs{gridColumns}, Why: "one value at a time, for one more rounding of the mean a row"},
	{Op: BNEvalStats, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "a thread a channel"},
	{Op: BNForward, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: Needs{elements32}, Why: "normalise, add and ReLU in one pass, four elements a thread"},
	{Op: BNBackwardStats, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: Needs{gridColumns}, Why: "eight rows a thread in float32, the rest in double"},
	{Op: BNBackward, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: Needs{elements32}, Why: "mask, gradient and the residual's in one pass, four elements a thread"},
	{Op: ReLUForward, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "four elements a thread"},
	{Op: ReLUBackward, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "four elements a thread"},
	{Op: Add, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "four elements a thread"},
	{Op: AvgPoolForward, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "a thread a channel of an image"},
	{Op: AvgPoolBackward, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "a thread an element"},
	{Op: LinearFprop, Name: "tiled", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: Needs{linearSamples}, Why: "tiles in shared memory, four sums a thread"},
	{Op: LinearFprop, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "a warp an output"},
	{Op: LinearDgrad, Name: "tiled", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: Needs{linearSamples}, Why: "tiles in shared memory, four sums a thread"},
	{Op: LinearDgrad, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "a thread an output"},
	{Op: LinearWgrad, Name: "tiled", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: Needs{gridColumns}, Why: "tiles in shared memory, four sums a thread"},
	{Op: LinearWgrad, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "a thread a weight"},
	{Op: CrossEntropy, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "one block, in double: the loss is what people read"},
	{Op: ClassMoments, Name: "tiled", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Can: Needs{gridColumns, gridClasses}, Why: "tiles of the second moment's upper triangle, shifted rows in shared memory, in double"},
	{Op: Augment, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "a thread a pixel, each with its own Philox"},
	{Op: SGD, Name: "multi_tensor", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "one launch for all tensors: they lie together, so that it needs no list of them"},
	{Op: SGD, Name: "per_tensor", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "one launch a tensor, as optimisers do that hold a list of them: what multi_tensor saves"},
	{Op: Advance, Name: "direct", Kind: CUDA, Precisions: cudaPrecisions, Class: Float32Sum, Why: "one thread"},
}

// What is done to a convolution's sums while they are in registers.
const (
	cudaNormalised = "normalised, added and cut as the sums leave the registers"
	cudaStats      = "moments of each block's rows as the sums leave the registers, merged by Chan's formula in double"
	cudaAdded      = "added where the other gradient lies as the sums leave the registers; pixels that no tap reaches are not touched"
)

// convOffsets is what kernels/cuda/conv.cuh needs, convStem what kernels/cuda/conv_registers.cuh is for, convTiles what kernels/cuda/conv_tile.cuh needs.
var (
	convOffsets = Needs{offsets32}
	convStem    = Needs{window3x3(1), stemChannels, offsets32, gridColumns}
	convTiles   = Needs{tileChannels, offsets32, gridColumns}
	dgradTiles  = slices.Concat(convTiles, Needs{gridStride})
	wgradParts  = Needs{wgradPixels}
)

var (
	offsets32 = Need{"operands under 2^31 elements", func(s Shape) string {
		n := max(s.N*s.H*s.W*s.C, s.N*s.P()*s.Q()*s.K, s.K*s.R*s.S*s.C)
		if n <= math.MaxInt32 {
			return ""
		}
		return fmt.Sprintf("one of %d: take a smaller batch", n)
	}}
	elements32 = Need{"activations under 2^31 elements", func(s Shape) string {
		if n := s.N * s.H * s.W * s.C; n > math.MaxInt32 {
			return fmt.Sprintf("%d: take a smaller batch", n)
		}
		return ""
	}}
	// The least tiles in a grid's second dimension are batch norm's of 16 channels.
	gridColumns = Need{fmt.Sprintf("at most %d channels", 16*cuda.GridYZ), func(s Shape) string { return above(16*cuda.GridYZ, max(s.C, s.K)) }}
	// Tiles of 32.
	linearSamples = Need{fmt.Sprintf("at most %d samples", 32*cuda.GridYZ), func(s Shape) string { return above(32*cuda.GridYZ, s.N) }}
	gridClasses   = Need{fmt.Sprintf("at most %d classes", cuda.GridYZ), func(s Shape) string { return above(cuda.GridYZ, s.K) }}
	// A parity class has a place in the grid's third dimension.
	gridStride = Need{"a stride under 256", func(s Shape) string { return above(255, s.Stride) }}
	// As many parts as a grid has room for, none of more products than may be summed in float32.
	wgradPixels = Need{fmt.Sprintf("at most %d pixels of dy", cuda.GridYZ*wgradBlock), func(s Shape) string {
		if n := above(cuda.GridYZ*wgradBlock, s.N*s.P()*s.Q()); n != "" {
			return n + ": take a smaller batch"
		}
		return ""
	}}
	stemChannels = Need{"3 channels in", func(s Shape) string {
		if s.C == 3 {
			return ""
		}
		return fmt.Sprint(s.C)
	}}
	tileChannels = Need{"multiples of 4 channels and at most 16 taps", func(s Shape) string {
		if s.C%4 == 0 && s.K%4 == 0 && s.R*s.S <= 16 {
			return ""
		}
		return fmt.Sprintf("%d and %d channels and %d taps", s.C, s.K, s.R*s.S)
	}}
)

// above is n in words where it is more than limit.
func above(limit, n int) string {
	if n > limit {
		return fmt.Sprint(n)
	}
	return ""
}
