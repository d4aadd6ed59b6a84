//go:build cuda

package cuda

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The grids' numbers are those that the kernels are compiled with.
func TestConvolutionGridsAgreeWithTheHeaders(t *testing.T) {
	for header, want := range map[string]string{
		"conv_output.cuh":    fmt.Sprintf("kTileM = %d, kTileN = %d, kTileThreads = %d;", tileM, tileN, tileThreads),
		"conv_mma.cuh":       fmt.Sprintf("kDepth = %d, kStages = %d;", mmaDepth, mmaStages),
		"conv_registers.cuh": fmt.Sprintf("kFilters = %d, kStemSlots = %d,", stemFilters, stemSlots),
	} {
		text, err := os.ReadFile(header)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %q", header, want)
		}
	}
}

// No part of a weight gradient's pixels is longer than kernels/ops.go's wgradBlock, empty, or so short that a step of a tile would be mostly padding.
func TestWeightGradientParts(t *testing.T) {
	for _, s := range []Shape{
		{N: 128, H: 32, W: 32, C: 64, K: 64, R: 3, S: 3, Stride: 1, Pad: 1},
		{N: 128, H: 8, W: 8, C: 256, K: 512, R: 3, S: 3, Stride: 2, Pad: 1},
		{N: 4096, H: 32, W: 32, C: 512, K: 512, R: 1, S: 1, Stride: 2},
		{N: 1, H: 1, W: 1, C: 4, K: 4, R: 1, S: 1, Stride: 1},
		{N: 65535 * 4096, H: 1, W: 1, C: 4, K: 4, R: 1, S: 1, Stride: 1}, // the most pixels that kernels/variants_cuda.go lets through
	} {
		for name, part := range map[string]func(Shape) int{"tiles": wgradTilePart, "direct and stem": wgradPart} {
			n := part(s)
			if n < 128 || n > 4096 || (blocks(s.pixels(), n)-1)*n >= s.pixels() {
				t.Errorf("%s: parts of %d of %d pixels at %+v", name, n, s.pixels(), s)
			}
		}
	}
}
