//go:build cuda

package cuda

import (
	"strings"
	"testing"
)

// Grids stay within CUDA's limits (2^31-1 by 65535 by 65535) at every size that 32-bit offsets allow, whatever dimension the size is in. More samples than the tiled linear
// kernels have tiles for are refused by their rows in kernels/variants_cuda.go.
func TestGridsHaveRoom(t *testing.T) {
	const elements = 1<<31 - 1
	var shapes []Shape
	for _, channels := range []int{3, 4, 64, 2048} {
		conv := Shape{N: elements / (256 * channels), H: 16, W: 16, C: channels, K: channels, R: 3, S: 3, Stride: 1, Pad: 1}
		image := Shape{N: 1, H: 1 << 15, W: elements / (1 << 15) / channels, C: channels, K: channels, R: 3, S: 3, Stride: 1, Pad: 1}
		pointwise := Shape{N: elements / channels, H: 1, W: 1, C: channels, K: channels, R: 1, S: 1, Stride: 2}
		shapes = append(shapes, conv, image, pointwise)
	}
	shapes = append(shapes, Shape{N: 1, H: 1, W: 1, C: 1 << 20, K: 1, R: 1, S: 1, Stride: 1}, Shape{N: 65535*128 + 1, H: 1, W: 1, C: 1, K: 1, R: 1, S: 1, Stride: 1})
	for name, e := range entries {
		for _, s := range shapes {
			if strings.HasPrefix(name, "linear_") && strings.HasSuffix(name, "_tiled") && s.N > 32*gridZ {
				continue
			}
			for _, l := range e.launches(&Call{Shape: s}) {
				if g := l.geometry.Grid; g[0] < 1 || g[0] > elements || g[1] < 1 || g[1] > gridZ || g[2] < 1 || g[2] > gridZ {
					t.Errorf("%s: %s at %+v: grid %v", name, l.function, s, g)
				}
			}
		}
	}
}
