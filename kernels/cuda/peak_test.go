//go:build cuda

package cuda_test

import (
	"testing"

	"nctrain/kernels"
)

// The tensor cores' peak is that of products which are really made: with b all 1, each of a lane's sums is that of its row of a, which four lanes hold.
func TestPeakMMAMultiplies(t *testing.T) {
	dev := open(t)
	const threads, steps = 256, 3
	x := make([]float32, threads)
	for i := range x {
		x[i] = float32(i%29 - 9)
	}
	from, err := dev.Alloc(4 * threads)
	must(t, err)
	to, err := dev.Alloc(4 * threads)
	must(t, err)
	must(t, kernels.Upload(dev, from, x))
	for p, depth := range map[kernels.Precision]int{kernels.TF32: 8, kernels.BF16: 16} {
		needPrecision(t, dev, p)
		call := &kernels.Call{Shape: kernels.Shape{N: threads, K: steps}, Precision: p, Operands: [kernels.MaxOperands]kernels.Buffer{from, to}}
		must(t, dev.Launch(&kernels.Variant{Kind: kernels.CUDA, Kernel: "peak_mma"}, call))
		y := make([]float32, threads)
		must(t, kernels.Download(dev, y, to))
		for i, got := range y {
			row := i / 4 * 4
			want := float32(8*4*steps*depth/4) * (x[row] + x[row+1] + x[row+2] + x[row+3])
			if got != want {
				t.Fatalf("%v: y[%d] = %g, not %g", p, i, got, want)
			}
		}
	}
}
