//go:build cuda

package cuda_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
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

// load gives a kernel of testdata/. On a card the archive of `make gpu-bundle` has it; without that the test is skipped, or fails as needDriver says.
func (m *machine) load(t *testing.T, name string) *cudart.Module {
	t.Helper()
	c := m.device.Capabilities()
	if c.Major < 8 {
		t.Skipf("testdata/%s.cu is for sm_80 and later, this card is %s", name, c.SM())
	}
	image, err := emu.Image(c.Emulated, "../..", "testdata/"+name+".cu")
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("NCTRAIN_REQUIRE_GPU") != "1" {
		t.Skip(err)
	}
	must(t, err)
	module, err := m.device.LoadModule(name, image)
	must(t, err)
	return module
}

// One tile of small integers through each matrix instruction, against the product written out: exact, and it shows that the fragments of loads,
// products and sums fit together. That the layouts are the card's shows on a card.
func TestMatrixInstructions(t *testing.T) {
	m := openRaw(t)
	module := m.load(t, "mma_tile")
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
