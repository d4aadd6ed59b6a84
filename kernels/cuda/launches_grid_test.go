//go:build cuda

package cuda_test

import (
	"testing"

	"nctrain/kernels"
	"nctrain/kernels/cuda"
)

// Grids stay within CUDA's limits (2^31-1 by 65535 by 65535) whatever dimension a call's size is in, or the variant's row refuses the call (kernels/variants_cuda.go).
func TestGridsHaveRoom(t *testing.T) {
	const elements, yz = 1<<31 - 1, 1<<16 - 1
	point := kernels.Shape{N: 1, H: 1, W: 1, C: 1, K: 1, R: 1, S: 1, Stride: 1}
	var shapes []kernels.Shape
	extreme := func(change func(*kernels.Shape)) {
		s := point
		change(&s)
		shapes = append(shapes, s)
	}
	for _, c := range []int{1, 3, 4, 64, 2048} {
		shapes = append(shapes,
			kernels.Shape{N: elements / (256 * c), H: 16, W: 16, C: c, K: c, R: 3, S: 3, Stride: 1, Pad: 1},
			kernels.Shape{N: 1, H: 1 << 15, W: elements / (1 << 15) / c, C: c, K: c, R: 3, S: 3, Stride: 1, Pad: 1},
			kernels.Shape{N: elements / c, H: 1, W: 1, C: c, K: c, R: 1, S: 1, Stride: 2},
			kernels.Shape{N: 1, H: 300, W: 300, C: c, K: c, R: 1, S: 1, Stride: 300})
	}
	for _, c := range []int{1, 3, 4} {
		for _, parts := range []int{yz, yz + 1} { // of a weight gradient's pixels, the longest
			shapes = append(shapes, kernels.Shape{N: parts * 16, H: 16, W: 16, C: c, K: c, R: 3, S: 3, Stride: 1, Pad: 1})
		}
	}
	for _, n := range []int{yz*32 + 1, yz*128 + 1, yz*512 + 1} {
		extreme(func(s *kernels.Shape) { s.N = n })
	}
	for _, n := range []int{yz + 1, yz * 16, yz*16 + 1, 1 << 21, 1 << 23} { // 1048561 is odd: tiles of single channels
		extreme(func(s *kernels.Shape) { s.C, s.K = n, 4 })
		extreme(func(s *kernels.Shape) { s.C, s.K = 4, n })
	}

	rows := map[string]*kernels.Variant{}
	for _, op := range kernels.Ops() {
		for _, v := range kernels.Variants(op.ID, kernels.CUDA) {
			rows[v.KernelName()] = v
		}
	}
	for _, name := range cuda.KernelNames() {
		v, p, done := rows[name], kernels.TF32, 0 // the roofline's own kernels have no row
		for _, s := range shapes {
			if v != nil && v.Check(s, p, kernels.Capabilities{Kind: kernels.CUDA}) != nil {
				continue
			}
			done++
			for _, g := range cuda.Grids(name, &cuda.Call{Shape: cuda.Shape(s), Precision: cuda.Precision(p)}) {
				if min(g[0], g[1], g[2]) < 1 || g[0] > elements || max(g[1], g[2]) > yz {
					t.Errorf("%s at %+v: grid %v", name, s, g)
				}
			}
		}
		if done == 0 {
			t.Errorf("%s: refused at every shape", name)
		}
	}
}
