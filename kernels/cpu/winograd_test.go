package cpu

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// Whole tiles and clipped ones, one image of one pixel, odd channel counts, several blocks of tiles in one task, more channels than a depth block, and
// both forms of each kernel: transformed weights that stay in the cache (fused, private) and that do not (staged; the last shape, in two blocks at float64).
var winogradTestShapes = []Shape{
	{N: 2, H: 8, W: 8, C: 16, K: 16},
	{N: 1, H: 1, W: 1, C: 5, K: 6},
	{N: 1, H: 5, W: 7, C: 3, K: 8},
	{N: 3, H: 9, W: 6, C: 17, K: 13},
	{N: 2, H: 4, W: 4, C: 72, K: 100},
	{N: 3, H: 16, W: 13, C: 64, K: 64},
	{N: 1, H: 4, W: 3, C: 600, K: 40},
	{N: 33, H: 16, W: 16, C: 8, K: 8},
	{N: 780, H: 1, W: 1, C: 300, K: 8},
	{N: 85, H: 1, W: 1, C: 600, K: 130},
}

func withFilter3x3(s Shape) Shape {
	s.R, s.S, s.Stride, s.Pad = 3, 3, 1, 1
	return s
}

// The constants of the bound in winograd_f43.hpp.
const (
	f43Amplification      = 68.9
	f43WgradAmplification = 59.1
	f43Roundings          = 30
)

func largest(v []float64) float64 {
	m := 0.0
	for _, x := range v {
		m = max(m, math.Abs(x))
	}
	return m
}

// winogradArg is an output whose bound is that of winograd_f43.hpp for a sum of `terms` products of transforms, `direct` products in direct form.
func winogradArg(name string, p products, a, b arg, amplification float64, terms, direct int) arg {
	bound := float64(terms+f43Roundings) * amplification * float64(direct) * largest(a.in) * largest(b.in)
	return arg{name: name, want: p.out, bound: slices.Repeat([]float64{bound}, len(p.out))}
}

// In float64 the same bound says that the algorithm is exact: it is some 1e-12 there.
func TestConvWinogradF43(t *testing.T) {
	for _, s := range winogradTestShapes {
		s := withFilter3x3(s)
		t.Run(fmt.Sprintf("%dx%dx%dx%d_k%d", s.N, s.H, s.W, s.C, s.K), func(t *testing.T) {
			x, w, dy, y, dx, dw := convArgs(t, s, reals)
			c, k, tiles := int(s.C), int(s.K), int(s.N*((s.H+3)/4)*((s.W+3)/4))
			checkPacked(t, "conv_fprop_winograd_f43", s, []arg{x, w, winogradArg("y", y, x, w, f43Amplification, c, 9*c)}, "w")
			checkPacked(t, "conv_dgrad_winograd_f43", s, []arg{dy, w, winogradArg("dx", dx, dy, w, f43Amplification, k, 9*k)}, "w")
			checkPacked(t, "conv_wgrad_winograd_f43", s, []arg{x, dy, winogradArg("dw", dw, x, dy, f43WgradAmplification, tiles, 16*tiles)}, "")
		})
	}
}

// The bound above is of the worst case. What training sees is the root mean square of the error: at most 5 times that of im2col on the same numbers.
func TestConvWinogradF43RMSError(t *testing.T) {
	const allowed = 5
	s := withFilter3x3(Shape{N: 4, H: 16, W: 16, C: 48, K: 32})
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
				out := runPacked(t, c.name+variant, isa, 32, 2, s, c.args, c.weight)[2]
				sum := 0.0
				for i, want := range c.want {
					e := out.get(i, len(c.want)) - want
					sum += e * e
				}
				return math.Sqrt(sum / float64(len(c.want)))
			}
			winograd, im2col := rms("_winograd_f43"), rms("_im2col")
			t.Logf("%s %v: rms error %.2g, im2col's %.2g (%.1f times)", c.name, isa, winograd, im2col, winograd/im2col)
			if !(winograd <= allowed*im2col) {
				t.Errorf("%s %v: rms error %g is more than %d times im2col's %g", c.name, isa, winograd, allowed, im2col)
			}
		}
	}
}
