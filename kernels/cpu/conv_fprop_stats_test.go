package cpu

import (
	"fmt"
	"slices"
	"testing"
)

// conv_fprop_stats gives the bits of conv_fprop, and statistics of them within what bn_stats may err, the same bits on any number of threads. Beyond the
// convolutions' shapes: several slots of few channels and of many, more channels than a block of rows is summed in at once, two staged blocks of tiles.
func TestConvFpropStats(t *testing.T) {
	shapes := map[string][]Shape{"im2col": append([]Shape{
		{N: 3, H: 32, W: 32, C: 3, K: 64, R: 3, S: 3, Stride: 1, Pad: 1},
		{N: 2, H: 11, W: 10, C: 3, K: 1100, R: 1, S: 1, Stride: 1, Pad: 0},
	}, im2colTestShapes...)}
	for _, a := range winogradAlgorithms {
		for _, s := range append([]Shape{{N: 205, H: 1, W: 1, C: 600, K: 130}, {N: 2, H: 33, W: 34, C: 8, K: 70}}, winogradTestShapes...) {
			shapes[a.name] = append(shapes[a.name], a.shape(s))
		}
	}
	for variant, shapes := range shapes {
		for _, s := range shapes {
			t.Run(fmt.Sprintf("%s/%dx%dx%dx%d_k%d_%dx%d", variant, s.N, s.H, s.W, s.C, s.K, s.R, s.S), func(t *testing.T) {
				p, q := s.outputs()
				outputs := Shape{N: s.N, H: int64(p), W: int64(q), C: s.K}
				x := arg{name: "x", in: reals(30, int(s.N*s.H*s.W*s.C))}
				w := arg{name: "w", in: reals(31, int(s.K*s.R*s.S*s.C))}
				y := arg{name: "y", want: make([]float64, int(s.N)*p*q*int(s.K))}
				for _, isa := range SupportedISAs() {
					convolution := runPacked(t, "conv_fprop_"+variant, isa, 32, 1, s, []arg{x, w, y}, "w")[2]
					for i := range y.want {
						y.want[i] = convolution.get(i, len(y.want))
					}
					requireNonZero(t, y.want)
					running, batch := bnDataOf(outputs, y.want).statistics()
					args := slices.Concat([]arg{x, w}, running, []arg{y}, batch)
					var first []tensor
					for threads := 1; threads <= 4; threads++ {
						tensors := runPacked(t, "conv_fprop_stats_"+variant, isa, 32, threads, s, args, "w", bnEps, bnMomentum)
						checkOperands(t, fmt.Sprintf("%v, %d threads", isa, threads), args, tensors, roundoff(32))
						if first == nil {
							first = tensors
						}
						for i := range tensors {
							if string(tensors[i].bytes) != string(first[i].bytes) {
								t.Fatalf("%v, %d threads: %s differs from that of one thread", isa, threads, args[i].name)
							}
						}
					}
				}
			})
		}
	}
}
