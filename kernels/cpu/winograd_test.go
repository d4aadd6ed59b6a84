package cpu

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// Whole tiles and clipped ones, one image of one pixel, odd channel counts, several blocks of tiles in one task, more channels than a depth block, 1, 2
// and 3 blocks in a slot of statistics (1x1 images), and the forms of each kernel: transformed weights that stay in the cache (fused) and that do not (staged;
// the last shape, in two blocks at float64); wgrad by ranges and, of the last shape, of all tiles at once.
var winogradTestShapes = []Shape{
	{N: 2, H: 8, W: 8, C: 16, K: 16},
	{N: 1, H: 1, W: 1, C: 5, K: 6},
	{N: 1, H: 5, W: 7, C: 3, K: 8},
	{N: 3, H: 9, W: 6, C: 17, K: 13},
	{N: 2, H: 4, W: 4, C: 72, K: 100},
	{N: 3, H: 16, W: 13, C: 64, K: 64},
	{N: 1, H: 4, W: 3, C: 600, K: 40},
	{N: 33, H: 16, W: 16, C: 8, K: 8},
	{N: 300, H: 1, W: 1, C: 300, K: 8},
	{N: 780, H: 1, W: 1, C: 300, K: 8},
	{N: 1200, H: 1, W: 1, C: 300, K: 8},
	{N: 105, H: 1, W: 1, C: 600, K: 130},
}

// winogradAlgorithm is a stride with the constants of its bound (winograd_f43.hpp, winograd_f42.hpp).
type winogradAlgorithm struct {
	name               string
	stride             int64
	convolution, wgrad float64 // amplification
}

var winogradAlgorithms = []winogradAlgorithm{
	{name: "winograd_f43", stride: 1, convolution: 68.9, wgrad: 59.1},
	{name: "winograd_f42", stride: 2, convolution: 20.7, wgrad: 27.7},
}

// winogradRoundings is what the three transforms round, each at most 5 times a dimension.
const winogradRoundings = 30

func (a winogradAlgorithm) shape(s Shape) Shape {
	s.R, s.S, s.Stride, s.Pad = 3, 3, a.stride, 1
	return s
}

// outputs is P or Q of an extent.
func (a winogradAlgorithm) outputs(extent int64) int64 { return (extent-1)/a.stride + 1 }

func largest(v []float64) float64 {
	m := 0.0
	for _, x := range v {
		m = max(m, math.Abs(x))
	}
	return m
}

// winogradArg is an output whose bound is that of winograd_f43.hpp and winograd_f42.hpp for a sum of `terms` products of transforms, `direct` products in direct form.
func winogradArg(name string, p products, a, b arg, amplification float64, terms, direct int) arg {
	bound := float64(terms+winogradRoundings) * amplification * float64(direct) * largest(a.in) * largest(b.in)
	return arg{name: name, want: p.out, bound: slices.Repeat([]float64{bound}, len(p.out))}
}

// In float64 the same bound says that the algorithm is exact: it is some 1e-12 there.
func TestConvWinograd(t *testing.T) {
	for _, a := range winogradAlgorithms {
		for _, s := range winogradTestShapes {
			s := a.shape(s)
			t.Run(fmt.Sprintf("%s/%dx%dx%dx%d_k%d", a.name, s.N, s.H, s.W, s.C, s.K), func(t *testing.T) {
				x, w, dy, y, dx, dw := convArgs(t, s, reals)
				c, k, tiles := int(s.C), int(s.K), int(s.N*((a.outputs(s.H)+3)/4)*((a.outputs(s.W)+3)/4))
				checkPacked(t, "conv_fprop_"+a.name, s, []arg{x, w, winogradArg("y", y, x, w, a.convolution, c, 9*c)}, "w")
				checkPacked(t, "conv_dgrad_"+a.name, s, []arg{dy, w, winogradArg("dx", dx, dy, w, a.convolution, k, 9*k)}, "w")
				// A weight's sum goes over at most 16 products of a tile and filter (f42).
				checkPacked(t, "conv_wgrad_"+a.name, s, []arg{x, dy, winogradArg("dw", dw, x, dy, a.wgrad, tiles, 16*tiles)}, "")
			})
		}
	}
}

// The bound above is of the worst case. What training sees is the root mean square of the error: at most 5 times that of im2col on the same numbers.
// Outputs so large that they are stored past the caches have the bits of those that are stored by way of them, as they are where they do not begin on a line
// (an odd number of threads). Whole tiles and clipped ones, fused and staged.
func TestConvWinogradOfLargeOutputs(t *testing.T) {
	for _, a := range winogradAlgorithms {
		for _, s := range []Shape{
			{N: 15, H: 66, W: 68, C: 16, K: 64}, {N: 15, H: 66, W: 68, C: 64, K: 16}, {N: 17, H: 14, W: 15, C: 64, K: 1200}, {N: 17, H: 14, W: 15, C: 1200, K: 64},
		} {
			s := a.shape(s)
			p, q := s.outputs()
			x, dy := reals(50, int(s.N*s.H*s.W*s.C)), reals(51, int(s.N*s.K)*p*q)
			w := arg{name: "w", in: reals(52, int(s.K*s.R*s.S*s.C))}
			perChannel := func(name string) arg { return arg{name: name, in: reals(53, int(s.K))} }
			for name, args := range map[string][]arg{
				"conv_fprop": {{name: "x", in: x}, w, {name: "y", want: dy}},
				"conv_fprop_bn": {{name: "x", in: x}, w, perChannel("mean"), perChannel("invstd"), perChannel("gamma"), perChannel("beta"), {name: "residual", in: dy},
					{name: "y", want: dy}},
				"conv_dgrad": {{name: "dy", in: dy}, w, {name: "dx", want: x}},
			} {
				out := args[len(args)-1]
				if len(out.want)*4 < 16<<20 {
					continue
				}
				for _, isa := range SupportedISAs() {
					var first tensor
					for threads := 1; threads <= 2; threads++ {
						tensors := runPacked(t, name+"_"+a.name, isa, 32, threads, s, args, "w")
						got := tensors[len(tensors)-1]
						if !got.guardsIntact() {
							t.Fatalf("%s_%s %v %+v: wrote outside %s", name, a.name, isa, s, out.name)
						}
						if threads == 1 {
							first = got
						} else if string(got.bytes) != string(first.bytes) {
							t.Fatalf("%s_%s %v %+v: %s on lines differs from that beside them", name, a.name, isa, s, out.name)
						}
					}
				}
			}
		}
	}
}

func TestConvWinogradRMSError(t *testing.T) {
	const allowed = 5
	for _, a := range winogradAlgorithms {
		s := a.shape(Shape{N: 4, H: 16, W: 16, C: 48, K: 32})
		x, w, dy, y, dx, dw := convArgs(t, s, reals)
		for _, c := range []struct {
			name   string
			args   []arg
			want   []float64
			weight string
		}{
			{"conv_fprop", []arg{x, w, exactly("y", y)}, y.out, "w"},
			{"conv_dgrad", []arg{dy, w, exactly("dx", dx)}, dx.out, "w"},
			{"conv_wgrad", []arg{x, dy, exactly("dw", dw)}, dw.out, ""},
		} {
			for _, isa := range SupportedISAs() {
				rms := func(variant string) float64 {
					out := runPacked(t, c.name+"_"+variant, isa, 32, 2, s, c.args, c.weight)[2]
					sum := 0.0
					for i, want := range c.want {
						e := out.get(i, len(c.want)) - want
						sum += e * e
					}
					return math.Sqrt(sum / float64(len(c.want)))
				}
				winograd, im2col := rms(a.name), rms("im2col")
				t.Logf("%s_%s %v: rms error %.2g, im2col's %.2g (%.1f times)", c.name, a.name, isa, winograd, im2col, winograd/im2col)
				if !(winograd <= allowed*im2col) {
					t.Errorf("%s_%s %v: rms error %g is more than %d times im2col's %g", c.name, a.name, isa, winograd, allowed, im2col)
				}
			}
		}
	}
}
