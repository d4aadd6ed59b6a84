package kernels

import (
	"fmt"
	"slices"
)

// realAndDouble is what the reference variants have: float32, and the tests' float64.
var (
	realAndDouble = []Precision{FP32, FP64}
	float32Only   = []Precision{FP32}
)

// variants is the table's second half: under each operation the preferred first. A pinned or chosen row decides the bits, so the order is part
// of what makes a run repeatable.
var variants = slices.Concat(cpuVariants, cudaVariants)

var cpuVariants = []Variant{
	{
		Op: ConvFprop, Name: "winograd_f43", Kind: CPU, Precisions: float32Only, Class: WinogradSum, Pack: true, Can: winogradF43, Prefer: wide, Flop: winogradF43Flop,
		Why: "F(4x4, 3x3): a quarter of the multiplications, three times the rounding error",
	},
	{
		Op: ConvFprop, Name: "winograd_f42", Kind: CPU, Precisions: float32Only, Class: WinogradSum, Pack: true, Can: winogradF42, Prefer: wide, Flop: winogradF42Flop,
		Why: "F(4x4, 2x2) on the phases of a stride of 2: 9/16 of the multiplications",
	},
	{Op: ConvFprop, Name: "im2col", Kind: CPU, Precisions: float32Only, Class: Float32Sum, Pack: true, Why: "blocked implicit GEMM: pixels are rows of channels already, found through pointers"},
	{Op: ConvFprop, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum, Why: "plain loops: the readable reference"},
	{
		Op: ConvDgrad, Name: "winograd_f43", Kind: CPU, Precisions: float32Only, Class: WinogradSum, Pack: true, Can: winogradF43, Prefer: wide, Flop: winogradF43Flop,
		Why: "F(4x4, 3x3) on the turned filter",
	},
	{
		Op: ConvDgrad, Name: "winograd_f42", Kind: CPU, Precisions: float32Only, Class: WinogradSum, Pack: true, Can: winogradF42, Prefer: wide, Flop: winogradF42Flop,
		Why: "F(4x4, 2x2) on the phases of dx",
	},
	{Op: ConvDgrad, Name: "im2col", Kind: CPU, Precisions: float32Only, Class: Float32Sum, Pack: true, Why: "blocked implicit GEMM, a GEMM for each parity class of a stride"},
	{Op: ConvDgrad, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum, Why: "plain loops: the readable reference"},
	{
		Op: ConvWgrad, Name: "winograd_f43", Kind: CPU, Precisions: float32Only, Class: WinogradSum, Can: winogradF43, Prefer: wide, Flop: winogradF43Flop,
		Why: "the gradient of F(4x4, 3x3) by its transformed weights",
	},
	{
		Op: ConvWgrad, Name: "winograd_f42", Kind: CPU, Precisions: float32Only, Class: WinogradSum, Can: winogradF42, Prefer: wide, Flop: winogradF42Flop,
		Why: "the gradient of F(4x4, 2x2) on the phases by its transformed weights",
	},
	{Op: ConvWgrad, Name: "im2col", Kind: CPU, Precisions: float32Only, Class: Float32Sum, Why: "blocked implicit GEMM over pixel ranges with partial sums"},
	{Op: ConvWgrad, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum, Why: "plain loops: the readable reference"},
	{Op: ConvFpropBN, Name: "winograd_f43", Kind: CPU, Precisions: float32Only, Class: WinogradSum, Pack: true, Can: winogradF43, Flop: winogradF43Flop, Why: fusedOutput},
	{Op: ConvFpropBN, Name: "winograd_f42", Kind: CPU, Precisions: float32Only, Class: WinogradSum, Pack: true, Can: winogradF42, Flop: winogradF42Flop, Why: fusedOutput},
	{Op: ConvFpropBN, Name: "im2col", Kind: CPU, Precisions: float32Only, Class: Float32Sum, Pack: true, Why: "each block normalised while it is in the cache"},
	{Op: ConvFpropBN, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum, Why: "one after the other"},
	{
		Op: ConvFpropStats, Name: "winograd_f43", Kind: CPU, Precisions: float32Only, Class: WinogradSum, Pack: true, Can: winogradF43, Flop: winogradF43Flop,
		Why: cachedMoments,
	},
	{
		Op: ConvFpropStats, Name: "winograd_f42", Kind: CPU, Precisions: float32Only, Class: WinogradSum, Pack: true, Can: winogradF42, Flop: winogradF42Flop,
		Why: cachedMoments,
	},
	{Op: ConvFpropStats, Name: "im2col", Kind: CPU, Precisions: float32Only, Class: Float32Sum, Pack: true, Why: cachedMoments},
	{Op: ConvFpropStats, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum, Why: "one after the other"},
	{Op: ConvDgradAdd, Name: "winograd_f43", Kind: CPU, Precisions: float32Only, Class: WinogradSum, Pack: true, Can: winogradF43, Flop: winogradF43Flop, Why: fusedOutput},
	{Op: ConvDgradAdd, Name: "winograd_f42", Kind: CPU, Precisions: float32Only, Class: WinogradSum, Pack: true, Can: winogradF42, Flop: winogradF42Flop, Why: fusedOutput},
	{
		Op: ConvDgradAdd, Name: "im2col", Kind: CPU, Precisions: float32Only, Class: Float32Sum, Pack: true, Can: oneDepthBlock,
		Why: "the register tile is added to memory; pixels that no tap reaches are not touched",
	},
	{Op: ConvDgradAdd, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum, Why: "plain loops: the readable reference"},
	{Op: BNStats, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum, Why: "one pass: two passes in cache a block of rows, merged by Chan's formula"},
	{Op: BNEvalStats, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum},
	{Op: BNForward, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum},
	{Op: BNBackwardStats, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum},
	{Op: BNBackward, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum, Over: "dy"},
	{Op: ReLUForward, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum},
	{Op: ReLUBackward, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum},
	{Op: Add, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum},
	{Op: AvgPoolForward, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum},
	{Op: AvgPoolBackward, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum},
	{Op: LinearFprop, Name: "im2col", Kind: CPU, Precisions: float32Only, Class: Float32Sum, Pack: true, Why: "the convolutions' blocked GEMM"},
	{Op: LinearFprop, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum, Why: "plain loops: the readable reference"},
	{Op: LinearDgrad, Name: "im2col", Kind: CPU, Precisions: float32Only, Class: Float32Sum, Pack: true, Why: "the convolutions' blocked GEMM"},
	{Op: LinearDgrad, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum, Why: "plain loops: the readable reference"},
	{Op: LinearWgrad, Name: "im2col", Kind: CPU, Precisions: float32Only, Class: Float32Sum, Why: "the convolutions' blocked GEMM"},
	{Op: LinearWgrad, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum, Why: "plain loops: the readable reference"},
	{Op: CrossEntropy, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum},
	{Op: ClassMoments, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum, Why: "plain loops: features that lie on the host are summed by OpenBLAS (analysis/stats)"},
	{Op: Augment, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum},
	{Op: SGD, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum, Why: "one pass over all parameters, which lie together"},
	{Op: Advance, Name: "direct", Kind: CPU, Precisions: realAndDouble, Class: Float32Sum},
}

const (
	fusedOutput   = "in registers, in the transform of the outputs"
	cachedMoments = "moments of each block while it is in the cache, merged by Chan's formula in double"
)

// oneDepthBlock is where im2col's sum is one chain of the register tile (kDepthBlock, kernels/cpu/gemm.hpp), so that adding it afterwards rounds once.
var oneDepthBlock = Needs{{"a 1x1 filter and at most 576 channels out", func(s Shape) string {
	if s.R == 1 && s.S == 1 && s.K <= 576 {
		return ""
	}
	return fmt.Sprintf("%dx%d and %d", s.R, s.S, s.K)
}}}

// wide is where a Winograd variant is faster than im2col: the transforms are spread over enough channels.
var wide = Needs{{"16 channels or more in and out", func(s Shape) string {
	if s.C >= 16 && s.K >= 16 {
		return ""
	}
	return fmt.Sprintf("%d and %d", s.C, s.K)
}}}

// winogradF43 is where F(4x4, 3x3) applies, winogradF42 where F(4x4, 2x2) on the phases of a stride of 2 does.
var winogradF43, winogradF42 = Needs{window3x3(1)}, Needs{window3x3(2)}

func window3x3(stride int) Need {
	return Need{fmt.Sprintf("a 3x3 filter with stride %d and pad 1", stride), func(s Shape) string {
		if s.R == 3 && s.S == 3 && s.Stride == stride && s.Pad == 1 {
			return ""
		}
		return fmt.Sprintf("%dx%d with stride %d and pad %d", s.R, s.S, s.Stride, s.Pad)
	}}
}

// A tile of 4x4 outputs takes 6x6 products with F(4x4, 3x3) and 9x9 on the phases of a stride of 2.
func winogradF43Flop(s Shape) float64 { return winogradFlop(s, 36) }
func winogradF42Flop(s Shape) float64 { return winogradFlop(s, 81) }

func winogradFlop(s Shape, products int) float64 {
	tiles := s.N * ((s.P() + 3) / 4) * ((s.Q() + 3) / 4)
	return 2 * float64(products) * float64(tiles) * float64(s.C*s.K)
}
