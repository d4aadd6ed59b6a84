//go:build cuda

package cuda_test

import (
	"fmt"
	"testing"

	"nctrain/kernels"
)

// The tiles of conv_tile.cuh.
const tileM, tileN = 128, 64

func ceil(a, b int) int { return (a + b - 1) / b }

// products are the pairs of a pixel of y and one of x that some tap connects: what a convolution reads of either, channels apart.
func products(s kernels.Shape) int {
	along := func(outputs, inputs, taps int) int {
		n := 0
		for o := range outputs {
			for t := range taps {
				if i := o*s.Stride + t - s.Pad; i >= 0 && i < inputs {
					n++
				}
			}
		}
		return n
	}
	return s.N * along(s.P(), s.H, s.R) * along(s.Q(), s.W, s.S)
}

// classes calls f for each parity class of dx's pixels, with how many there are and how many taps meet them.
func classes(s kernels.Shape, f func(pixels, taps int)) {
	along := func(rest, inputs, taps int) (pixels, meet int) {
		for i := rest; i < inputs; i += s.Stride {
			pixels++
		}
		for t := (rest + s.Pad) % s.Stride; t < taps; t += s.Stride {
			meet++
		}
		return pixels, meet
	}
	for r := range s.Stride {
		for c := range s.Stride {
			h, tapsH := along(r, s.H, s.R)
			w, tapsW := along(c, s.W, s.S)
			f(s.N*h*w, tapsH*tapsW)
		}
	}
}

// tileModel is how many numbers the tiles of a convolution move: each operand's, padding left out, once for every tile of the other dimension, and the result's.
func tileModel(op kernels.OpID, s kernels.Shape, workspace int) int {
	pixels, window := s.N*s.P()*s.Q(), s.R*s.S*s.C
	fprop := products(s)*s.C*ceil(s.K, tileN) + s.K*window*ceil(pixels, tileM) + pixels*s.K
	moments := workspace / 4 // doubles: written once, read twice
	switch op {
	case kernels.ConvFprop:
		return fprop
	case kernels.ConvFpropStats:
		return fprop + 3*moments
	case kernels.ConvFpropBN:
		return fprop + pixels*s.K // the residual
	case kernels.ConvDgrad, kernels.ConvDgradAdd:
		n := products(s) * s.K * ceil(s.C, tileN)
		classes(s, func(pixels, taps int) {
			n += taps * s.K * s.C * ceil(pixels, tileM)
			switch {
			case op == kernels.ConvDgrad:
				n += pixels * s.C
			case taps > 0:
				n += 2 * pixels * s.C
			}
		})
		return n
	case kernels.ConvWgrad:
		n := products(s)*s.C*ceil(s.K, tileN) + pixels*s.K*ceil(window, tileM)
		if parts := workspace / 4; parts > 0 {
			return n + 2*parts + s.K*window // written, added up
		}
		return n + s.K*window
	}
	panic(fmt.Sprintf("no model of %v", op))
}

// The tiled convolutions move what their tiles say, at most a fifth more, and mma uses shared memory without bank conflicts. The shapes have 32 channels or more: of
// fewer a request has several taps, and what these share moves once.
func TestConvolutionsMoveWhatTheirTilesSay(t *testing.T) {
	dev := open(t)
	if !dev.Capabilities().Emulated {
		t.Skip("a card does not count")
	}
	for _, op := range []kernels.OpID{kernels.ConvFprop, kernels.ConvFpropStats, kernels.ConvFpropBN, kernels.ConvDgrad, kernels.ConvDgradAdd, kernels.ConvWgrad} {
		for _, v := range kernels.Variants(op, kernels.CUDA) {
			if v.Name != "mma" && v.Name != "tiled" {
				continue
			}
			for _, s := range []kernels.Shape{
				{N: 3, H: 8, W: 8, C: 32, K: 32, R: 3, S: 3, Stride: 1, Pad: 1},
				{N: 3, H: 16, W: 16, C: 32, K: 48, R: 3, S: 3, Stride: 2, Pad: 1},
				{N: 3, H: 16, W: 16, C: 32, K: 48, R: 1, S: 1, Stride: 2},
				{N: 2, H: 8, W: 8, C: 72, K: 136, R: 1, S: 1, Stride: 1},
			} {
				for _, p := range v.Precisions[:1] { // the others move the same
					t.Run(fmt.Sprintf("%v/%s/%v", op, v.Name, s), func(t *testing.T) {
						need, err := dev.Requirements(v, s, p)
						must(t, err)
						c, err := kernels.Count(dev, v, p, s)
						must(t, err)
						model := float64(4 * tileModel(op, s, need.Workspace))
						t.Logf("%.0f bytes, %.3f of the model's, %.0f bank conflicts in %.0f requests", c.Bytes(), c.Bytes()/model, c.SharedConflicts, c.SharedRequests)
						if share := c.Bytes() / model; share < 0.95 || share > 1.2 {
							t.Errorf("moves %.0f bytes, the tiles %.0f: %.2f times as many, want 0.95 to 1.2", c.Bytes(), model, share)
						}
						if v.Name == "mma" && c.SharedConflicts > 0 {
							t.Errorf("%.0f bank conflicts", c.SharedConflicts)
						}
					})
				}
			}
		}
	}
}
