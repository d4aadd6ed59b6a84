//go:build cuda

package cuda_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"nctrain/cudart"
	"nctrain/kernels"
)

// tileDepth is a step along k of testdata/tile_addresses.cu, tileThreads conv_tile.cuh's block.
const tileDepth, tileThreads = 32, 128

// The tiles of conv_tile.cuh lie where the formula says, in operands of almost 2^31 numbers too: what is counted past their ends wraps nowhere where anything is read.
// Under the emulated driver no signed number overflows on the way.
func TestTileAddresses(t *testing.T) {
	m := openRaw(t)
	module := m.load(t, "tile_addresses")
	defer func() { must(t, module.Close()) }()
	for _, s := range []kernels.Shape{
		{N: 1, H: 1<<29 - 1, W: 1, C: 4, K: 4, R: 3, S: 3, Stride: 1, Pad: 1},         // x and y
		{N: 1, H: 32767, W: 16383, C: 4, K: 12, R: 3, S: 3, Stride: 2, Pad: 1},        // x
		{N: 1, H: 1 << 14, W: 1 << 14, C: 4, K: 4, R: 3, S: 3, Stride: 20000, Pad: 1}, // half as many in x, but a tile is of 128 images
		{N: 3, H: 1, W: 1, C: 32784, K: 65500, R: 1, S: 1, Stride: 1},                 // w
		{N: 3, H: 6, W: 5, C: 8, K: 12, R: 3, S: 3, Stride: 2, Pad: 1},
	} {
		if n := max(s.N*s.H*s.W*s.C, s.N*s.P()*s.Q()*s.K, s.K*s.R*s.S*s.C); n > math.MaxInt32 {
			t.Fatalf("%v has %d elements", s, n)
		}
		taps := func(all int) int { return (all + s.Stride - 1 - s.Pad%s.Stride) / s.Stride } // that meet even rows of dx
		firstTap := s.Pad % s.Stride
		evenH, evenW, tapsH, tapsW := (s.H+s.Stride-1)/s.Stride, (s.W+s.Stride-1)/s.Stride, taps(s.R), taps(s.S)
		pixels, window, classPixels := s.N*s.P()*s.Q(), s.R*s.S*s.C, s.N*evenH*evenW
		first := max(0, pixels-100) // of a part of wgrad's pixels, the last
		// x at pixel p of y and place k of its window, dy at pixel p of dx's class and place k of its own.
		x := func(p, k int) (int, bool) {
			row := p/s.Q()%s.P()*s.Stride + k/(s.S*s.C) - s.Pad
			column := p%s.Q()*s.Stride + k/s.C%s.S - s.Pad
			return ((p/(s.P()*s.Q())*s.H+row)*s.W+column)*s.C + k%s.C, p < pixels && k < window && row >= 0 && row < s.H && column >= 0 && column < s.W
		}
		dy := func(p, k int) (int, bool) {
			if p >= classPixels || k >= tapsH*tapsW*s.K {
				return 0, false
			}
			r, c := firstTap+k/(tapsW*s.K)*s.Stride, firstTap+k/s.K%tapsW*s.Stride
			row, column := (p/evenW%evenH*s.Stride+s.Pad-r)/s.Stride, (p%evenW*s.Stride+s.Pad-c)/s.Stride
			inside := p/evenW%evenH*s.Stride+s.Pad >= r && row < s.P() && p%evenW*s.Stride+s.Pad >= c && column < s.Q()
			return ((p/(evenH*evenW)*s.P()+row)*s.Q()+column)*s.K + k%s.K, inside
		}
		last := func(n, tile int) int { return (n - 1) / tile * tile }
		for _, c := range []struct {
			kernel  string
			lines   int  // of the tile, m or n
			start   int  // m0 or n0
			alongK  bool // lines in memory go along k
			k, from int  // how far k goes, and from where on
			element func(line, k int) (at int, inside bool)
		}{
			{"fprop_a", tileM, last(pixels, tileM), true, window, 0, x},
			{"fprop_b", tileN, last(s.K, tileN), true, window, 0, func(n, k int) (int, bool) { return n*window + k, n < s.K && k < window }},
			{"dgrad_a", tileM, last(classPixels, tileM), true, tapsH * tapsW * s.K, 0, dy},
			{"dgrad_b", tileN, last(s.C, tileN), false, tapsH * tapsW * s.K, 0, func(n, k int) (int, bool) {
				r, c := firstTap+k/(tapsW*s.K)*s.Stride, firstTap+k/s.K%tapsW*s.Stride
				return ((k%s.K*s.R+r)*s.S+c)*s.C + n, n < s.C && k < tapsH*tapsW*s.K
			}},
			{"wgrad_a", tileM, last(window, tileM), false, pixels - first, first, func(m, p int) (int, bool) { return x(p, m) }},
			{"wgrad_b", tileN, last(s.K, tileN), false, pixels - first, first, func(n, p int) (int, bool) { return p*s.K + n, n < s.K && p < pixels }},
		} {
			steps := min((c.k+tileDepth-1)/tileDepth, 40)
			chunks := c.lines * tileDepth / 4 / tileThreads // of a thread in a step
			at, err := m.arena.Take(0, 8*steps*chunks*tileThreads)
			must(t, err)
			f, err := module.Function("tile_addresses_" + c.kernel)
			must(t, err)
			cudart.ForgetFault()
			args := []cudart.Arg{cudart.Pointer(at), cudart.Pointer(m.arena.Base())}
			for _, n := range []int{c.start, c.start, first, pixels, steps, s.N, s.H, s.W, s.C, s.K, s.R, s.S, s.Stride, s.Pad, s.P(), s.Q()} {
				args = append(args, cudart.Scalar(int32(n)))
			}
			if err := m.stream.Launch(f, cudart.Linear(1, tileThreads), args...); err != nil {
				t.Errorf("%s at %v: %v", c.kernel, s, err)
				continue
			}
			got := make([]int64, steps*chunks*tileThreads)
			raw := make([]byte, 8*len(got))
			must(t, m.device.Download(raw, at))
			must(t, binary.Read(bytes.NewReader(raw), binary.LittleEndian, got))
			seen := 0
			for i, offset := range got {
				length, thread := c.lines, i%tileThreads // of a line in memory
				if c.alongK {
					length = tileDepth
				}
				inMemory, across := i/tileThreads%chunks*(tileThreads*4/length)+thread/(length/4), thread%(length/4)*4
				line, k := c.start+inMemory, i/(chunks*tileThreads)*tileDepth+across+c.from
				if !c.alongK {
					line, k = c.start+across, i/(chunks*tileThreads)*tileDepth+inMemory+c.from
				}
				want, inside := c.element(line, k)
				if inside != (offset&1 == 1) || inside && offset>>1 != int64(want) {
					t.Errorf("%s at %v: line %d, k %d is at %d, inside: %v, want %d, %v", c.kernel, s, line, k, offset>>1, offset&1 == 1, want, inside)
					break
				}
				if inside {
					seen++
				}
			}
			if seen == 0 {
				t.Errorf("%s at %v: all of the tile is outside", c.kernel, s)
			}
		}
	}
}
