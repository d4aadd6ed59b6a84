//go:build cuda

package cuda_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"nctrain/cudart"
	"nctrain/cudart/emu"
)

// machine is a device below kernels.Device, for kernels of the tests' own.
type machine struct {
	device *cudart.Device
	stream *cudart.Stream
	arena  *cudart.Arena
}

func openRaw(t *testing.T) *machine {
	t.Helper()
	m := &machine{}
	var err error
	m.device, err = cudart.Open(0)
	needDriver(t, err)
	m.stream, err = m.device.NewStream()
	must(t, err)
	m.arena, err = m.device.NewArena(1 << 20)
	must(t, err)
	t.Cleanup(func() {
		must(t, m.stream.Close())
		must(t, m.arena.Close())
		must(t, m.device.Close())
	})
	return m
}

// One tile of small integers through each matrix instruction, against the product written out: exact, and it shows that the fragments of loads,
// products and sums fit together. Whether the layouts are the card's only a card can show.
func TestMatrixInstructions(t *testing.T) {
	m := openRaw(t)
	if !m.device.Capabilities().Emulated {
		t.Skip("testdata/mma_tile.cu is compiled for the emulated driver")
	}
	image, err := emu.Compile("../..", "testdata/mma_tile.cu")
	must(t, err)
	module, err := m.device.LoadModule("mma_tile", image)
	must(t, err)
	defer func() { must(t, module.Close()) }()
	for _, c := range []struct {
		kernel string
		depth  int
		encode func(v float32) any
	}{
		{"mma_tile_bf16", 16, func(v float32) any { return uint16(math.Float32bits(v) >> 16) }},
		{"mma_tile_tf32", 8, func(v float32) any { return math.Float32bits(v) | 0x1fff }}, // the bits below the mantissa's ten are not seen
	} {
		t.Run(c.kernel, func(t *testing.T) {
			cudart.ForgetFault()
			random := rand.New(rand.NewPCG(1, 2))
			upload := func(offset, n int) ([]float32, cudart.Address) {
				values := make([]float32, n)
				var raw bytes.Buffer
				for i := range values {
					values[i] = float32(random.IntN(17) - 8)
					if values[i] == 0 {
						values[i] = 1 // with the low bits set, zero would be a subnormal number
					}
					must(t, binary.Write(&raw, binary.LittleEndian, c.encode(values[i])))
				}
				at, err := m.arena.Take(offset, raw.Len())
				must(t, err)
				must(t, m.device.Upload(at, raw.Bytes()))
				return values, at
			}
			a, atA := upload(0, 16*c.depth)
			b, atB := upload(4096, c.depth*8)
			y, err := m.arena.Take(8192, 4*16*8)
			must(t, err)
			f, err := module.Function(c.kernel)
			must(t, err)
			must(t, m.stream.Launch(f, cudart.Linear(1, 32), cudart.Pointer(y), cudart.Pointer(atA), cudart.Pointer(atB)))
			raw := make([]byte, 4*16*8)
			must(t, m.device.Download(raw, y))
			for i := range 16 * 8 {
				want := float32(0)
				for k := range c.depth {
					want += a[i/8*c.depth+k] * b[k*8+i%8]
				}
				if got := math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])); got != want {
					t.Fatalf("y[%d][%d] = %g, not %g", i/8, i%8, got, want)
				}
			}
		})
	}
}
