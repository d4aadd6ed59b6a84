package kernels

import (
	"slices"
	"strings"
	"testing"
)

// What the table says that a variant needs is what decides: each need is met by some calls and not by others, and a refusal says it in the listed words.
func TestListedNeedsDecide(t *testing.T) {
	layer := Shape{N: 128, H: 32, W: 32, C: 64, K: 64, R: 3, S: 3, Stride: 1, Pad: 1}
	stem, odd, large, strided, pointwise := layer, layer, layer, layer, layer
	stem.C, odd.C, large.N, strided.Stride = 3, 10, 1<<15, 2
	pointwise.R, pointwise.S, pointwise.Pad = 1, 1, 0
	samples := Shape{N: 1 << 22, H: 1, W: 1, C: 4, K: 4, R: 1, S: 1, Stride: 1}
	columns, pixels, leaps := samples, samples, pointwise
	columns.N, columns.K = 1, 1<<21
	pixels.N, leaps.Stride = 1<<28, 256
	calls := []Shape{layer, stem, odd, large, strided, pointwise, samples, columns, pixels, leaps}
	for i := range variants {
		v := &variants[i]
		for _, n := range slices.Concat(v.Can, v.Prefer) {
			lacks := func(s Shape) bool { return n.Lacks(s) != "" }
			meets := func(s Shape) bool { return n.Lacks(s) == "" }
			if !slices.ContainsFunc(calls, lacks) || !slices.ContainsFunc(calls, meets) {
				t.Errorf("%v: %q decides nothing", v, n.Words)
			}
		}
		caps := Capabilities{Kind: v.Kind, Precisions: v.Precisions}
		for _, s := range calls {
			err := v.Check(s, v.Precisions[0], caps)
			if err != nil && !slices.ContainsFunc(v.Conditions(), func(words string) bool { return strings.Contains(err.Error(), "needs "+words) }) {
				t.Errorf("%v at %v: %v, listed is %q", v, s, err, v.Conditions())
			}
		}
	}
}

// Where nothing is pinned a call takes the first row that it meets the needs of, the unpinned ones too.
func TestUnpinnedNeedsAreTheDefaults(t *testing.T) {
	narrow := Shape{N: 8, H: 32, W: 32, C: 8, K: 8, R: 3, S: 3, Stride: 1, Pad: 1}
	wider := narrow
	wider.C, wider.K = 16, 16
	caps := Capabilities{Kind: CPU, Precisions: realAndDouble}
	for _, c := range []struct {
		choice Choice
		shape  Shape
		want   string
	}{{nil, narrow, "im2col"}, {nil, wider, "winograd_f43"}, {Choice{ConvFprop: "winograd_f43"}, narrow, "winograd_f43"}} {
		v, err := c.choice.Choose(ConvFprop, c.shape, FP32, caps)
		if err != nil || v.Name != c.want {
			t.Errorf("%v at %v: %v, %v, want %s", c.choice, c.shape, v, err, c.want)
		}
		if unpinned := v.Unpinned(); (len(unpinned) > 0) != (c.want == "winograd_f43") {
			t.Errorf("%v: unpinned %q", v, unpinned)
		}
	}
}
