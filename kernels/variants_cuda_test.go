package kernels

import (
	"strings"
	"testing"
)

// What a convolution on the card cannot do it says, instead of computing something else.
func TestConvolutionsOnCUDASayWhatTheyCannot(t *testing.T) {
	caps := Capabilities{Kind: CUDA, Precisions: cudaPrecisions}
	layer := Shape{N: 128, H: 32, W: 32, C: 64, K: 64, R: 3, S: 3, Stride: 1, Pad: 1}
	stem, odd, large := layer, layer, layer
	stem.C, odd.C, large.N = 3, 10, 1<<15
	for _, c := range []struct {
		shape   Shape
		can     []string // of conv_fprop in tf32, in the table's order
		refusal string   // of the others, in part
	}{
		{layer, []string{"mma", "tiled", "direct"}, "over 3 channels"},
		{stem, []string{"registers", "direct"}, "multiples of 4"},
		{odd, []string{"direct"}, "channels"},
		{large, nil, "smaller batch"},
	} {
		var can []string
		for _, v := range Variants(ConvFprop, CUDA) {
			switch err := v.Check(c.shape, TF32, caps); {
			case err == nil:
				can = append(can, v.Name)
			case !strings.Contains(err.Error(), c.refusal) && v.Name != "registers":
				t.Errorf("%v at %v: %v, not a word of %q", v, c.shape, err, c.refusal)
			}
		}
		if strings.Join(can, " ") != strings.Join(c.can, " ") {
			t.Errorf("%v: %v can do it, want %v", c.shape, can, c.can)
		}
	}
}

// Batch norm's kernels count elements in 32 bits.
func TestBatchNormOnCUDASaysWhatItCannot(t *testing.T) {
	caps := Capabilities{Kind: CUDA, Precisions: cudaPrecisions}
	large := Shape{N: 1 << 15, H: 32, W: 32, C: 64} // 2^31 elements
	fits := large
	fits.N--
	for _, op := range []OpID{BNForward, BNBackward} {
		for _, v := range Variants(op, CUDA) {
			if err := v.Check(large, TF32, caps); err == nil || !strings.Contains(err.Error(), "smaller batch") {
				t.Errorf("%v at %v: %v", v, large, err)
			}
			if err := v.Check(fits, TF32, caps); err != nil {
				t.Errorf("%v at %v: %v", v, fits, err)
			}
		}
	}
}

// An operation that fuses others is done as the first of them is chosen to be, and not at all where another of them is pinned.
func TestFusedOperationsFollowTheChoice(t *testing.T) {
	layer := Shape{N: 128, H: 32, W: 32, C: 64, K: 64, R: 3, S: 3, Stride: 1, Pad: 1}
	stem := layer
	stem.C = 3
	for _, c := range []struct {
		kind   Kind
		op     OpID
		choice Choice
		shape  Shape
		want   string // empty: one by one
	}{
		{CPU, ConvFpropStats, nil, layer, "winograd_f43"},
		{CPU, ConvFpropStats, nil, stem, "im2col"},
		{CPU, ConvFpropStats, Choice{BNStats: "direct"}, layer, ""},
		{CUDA, ConvFpropStats, nil, layer, "mma"},
		{CUDA, ConvFpropStats, nil, stem, "registers"},
		{CUDA, ConvFpropStats, Choice{ConvFprop: "tiled"}, layer, "tiled"},
		{CUDA, ConvFpropStats, Choice{ConvFprop: "direct"}, layer, ""},
		{CUDA, ConvFpropStats, Choice{BNStats: "welford"}, layer, ""},
		{CUDA, ConvFpropStats, Choice{BNStats: "welford", ConvFpropStats: "tiled"}, layer, "tiled"},
		{CUDA, ConvFpropBN, Choice{ConvFprop: "direct"}, layer, "direct"},
		{CUDA, ConvDgradAdd, nil, layer, "mma"},
	} {
		got, p := "", map[Kind]Precision{CPU: FP32, CUDA: TF32}[c.kind]
		if v := c.choice.Fused(c.op, c.shape, p, Capabilities{Kind: c.kind, Precisions: []Precision{p}}); v != nil {
			got = v.Name
		}
		if got != c.want {
			t.Errorf("%v at %v on %v with %v: %q, want %q", c.op, c.shape, c.kind, c.choice, got, c.want)
		}
	}
}
