//go:build cuda

package cuda_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"nctrain/cudart"
	"nctrain/kernels"
	"nctrain/kernels/cuda"
)

const guard = 256 // bytes on both sides of each operand that must stay as they are

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// machine is a device with the kernels and an arena.
type machine struct {
	device  *cudart.Device
	stream  *cudart.Stream
	library *cuda.Library
	arena   *cudart.Arena
}

func open(t *testing.T) *machine {
	t.Helper()
	if n, err := cudart.Count(); err != nil || n == 0 {
		if os.Getenv("NCTRAIN_REQUIRE_GPU") == "1" {
			t.Fatal("NCTRAIN_REQUIRE_GPU=1, and there is no CUDA device")
		}
		t.Skip("no CUDA driver: make emu, and set NCTRAIN_CUDA_DRIVER=build/libcuda_emu.so")
	}
	m := &machine{}
	var err error
	m.device, err = cudart.Open(0)
	must(t, err)
	m.library = cuda.NewLibrary(m.device)
	m.stream, err = m.device.NewStream()
	must(t, err)
	m.arena, err = m.device.NewArena(16 << 20)
	must(t, err)
	t.Cleanup(func() {
		must(t, m.library.Close())
		must(t, m.stream.Close())
		must(t, m.arena.Close())
		must(t, m.device.Close())
	})
	return m
}

// encode makes of float64 values what lies in device memory.
func encode(kind kernels.Type, values []float64) []byte {
	var b bytes.Buffer
	for _, v := range values {
		var element any
		switch kind {
		case kernels.Real, kernels.Float32:
			element = float32(v)
		case kernels.Float64:
			element = v
		case kernels.Int32:
			element = int32(v)
		case kernels.Int64:
			element = int64(v)
		case kernels.Uint8:
			element = uint8(v)
		}
		if err := binary.Write(&b, binary.LittleEndian, element); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

func decode(kind kernels.Type, raw []byte) []float64 {
	size := kind.Size(kernels.FP32)
	out := make([]float64, len(raw)/size)
	for i := range out {
		at := raw[i*size:]
		switch kind {
		case kernels.Real, kernels.Float32:
			out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(at)))
		case kernels.Float64:
			out[i] = math.Float64frombits(binary.LittleEndian.Uint64(at))
		case kernels.Int32:
			out[i] = float64(int32(binary.LittleEndian.Uint32(at)))
		case kernels.Int64:
			out[i] = float64(int64(binary.LittleEndian.Uint64(at)))
		case kernels.Uint8:
			out[i] = float64(at[0])
		}
	}
	return out
}

// run calls a kernel on the given operands (nil: absent) with guards around each, and returns them as they are afterwards. Outputs are poisoned before: with
// NaN, which the emulated driver does not let a kernel read either.
func (m *machine) run(t *testing.T, name string, op *kernels.Op, s kernels.Shape, flags uint32, scalars, operands []float64Slice) [][]float64 {
	t.Helper()
	cudart.ForgetFault()
	call := &cuda.Call{Shape: cuda.Shape(s), Flags: flags}
	for i, v := range scalars {
		call.Scalars[i] = v[0]
	}
	type place struct{ at, bytes int }
	places := make([]place, len(operands))
	offset := 0
	const band = 0xa5
	for i, values := range operands {
		if values == nil {
			continue
		}
		raw := encode(op.Operands[i].Type, values)
		padded := slices.Concat(bytes.Repeat([]byte{band}, guard), raw, bytes.Repeat([]byte{band}, guard))
		at, err := m.arena.Take(offset, len(padded))
		must(t, err)
		must(t, m.device.Upload(at, padded))
		// Under the emulated driver the guards are no memory for kernels; on a card they are looked at below.
		if m.device.Capabilities().Emulated {
			must(t, m.arena.Give(offset, guard))
			must(t, m.arena.Give(offset+guard+len(raw), guard))
			if op.Operands[i].Role == kernels.Out {
				_, err := m.arena.Take(offset+guard, len(raw)) // nobody wrote it
				must(t, err)
			}
		}
		call.Operands[i] = at + guard
		places[i] = place{offset, len(raw)}
		offset = (offset + len(padded) + 255) / 256 * 256
	}
	k, err := m.library.Find(name)
	must(t, err)
	if bytes := k.Workspace(call.Shape, call.Precision); bytes > 0 {
		call.Workspace, err = m.arena.Take(offset, bytes)
		must(t, err)
	}
	work, err := k.Ready(call)
	must(t, err)
	must(t, work.Launch(m.stream))
	must(t, m.stream.Synchronize())
	out := make([][]float64, len(operands))
	for i, values := range operands {
		if values == nil {
			continue
		}
		if !m.device.Capabilities().Emulated {
			for _, from := range []int{places[i].at, places[i].at + guard + places[i].bytes} {
				edge := make([]byte, guard)
				must(t, m.device.Download(edge, m.arena.Base()+cudart.Address(from)))
				if bytes.Count(edge, []byte{band}) != guard {
					t.Errorf("%s: the guard of %s was written to", name, op.Operands[i].Name)
				}
			}
		}
		raw := make([]byte, places[i].bytes)
		must(t, m.device.Download(raw, call.Operands[i]))
		out[i] = decode(op.Operands[i].Type, raw)
	}
	return out
}

type float64Slice = []float64

// inputs are random operands of an operation: real numbers around 0 that float32 holds, and indices that are in range.
func inputs(op *kernels.Op, s kernels.Shape, random *rand.Rand) []float64Slice {
	out := make([]float64Slice, len(op.Operands))
	for i, operand := range op.Operands {
		values := make([]float64, operand.Len(s))
		for j := range values {
			switch {
			case operand.Name == "lr":
				values[j] = 0.01
			case operand.Name == "invstd", operand.Name == "running_var":
				values[j] = float64(float32(0.5 + random.Float64()))
			case operand.Type == kernels.Real:
				values[j] = float64(float32(random.NormFloat64()))
			case operand.Name == "order":
				values[j] = float64((j*5 + 3) % s.K) // each image of the set
			case operand.Type == kernels.Int32:
				values[j] = float64(random.IntN(100))
			case operand.Type == kernels.Uint8:
				values[j] = float64(random.IntN(256))
			}
		}
		if operand.Name == "state" { // step, slot, cursor (the last whole batch of the set), epoch, seed
			copy(values, []float64{7, 3, float64(max(0, s.K-s.N)), 2, 47})
		}
		if operand.Role == kernels.Out {
			for j := range values {
				values[j] = math.NaN()
			}
		}
		out[i] = values
	}
	return out
}

func clone(in []float64Slice) []float64Slice {
	out := make([]float64Slice, len(in))
	for i := range in {
		out[i] = slices.Clone(in[i])
	}
	return out
}

// Each kernel against the operation's float64 reference at the operation's own shapes: |error| <= tolerance * 2^-24, the tolerance being what the reference
// derives for a float32 computation of this element (kernels/reference.go).
func TestKernelsAgreeWithTheReference(t *testing.T) {
	m := open(t)
	random := rand.New(rand.NewPCG(1, 2))
	checked := map[string]bool{}
	for _, op := range kernels.Ops() {
		name := op.Name + "_direct"
		if !slices.Contains(cuda.Names(), name) {
			continue
		}
		checked[name] = true
		magnitude := 0.0
		for _, s := range op.Shapes {
			for flags := uint32(0); flags <= uint32(op.Flags); flags++ {
				if flags&^uint32(op.Flags) != 0 {
					continue
				}
				for _, optional := range []bool{true, false} {
					in := inputs(op, s, random)
					absent := false
					for i, operand := range op.Operands {
						if operand.Optional && !optional {
							in[i], absent = nil, true
						}
					}
					if !optional && !absent {
						continue // the same call again
					}
					t.Run(fmt.Sprintf("%s/%v/flags=%d/optional=%v", name, s, flags, optional), func(t *testing.T) {
						magnitude += compare(t, m, name, op, s, flags, in)
					})
				}
			}
		}
		if magnitude == 0 {
			t.Errorf("%s: the reference is zero everywhere: these cases show nothing", name)
		}
	}
	for _, name := range cuda.Names() {
		if !checked[name] {
			t.Errorf("%s.cu belongs to no operation of the table", name)
		}
	}
}

// compare returns the sum of the reference's magnitudes.
func compare(t *testing.T, m *machine, name string, op *kernels.Op, s kernels.Shape, flags uint32, in []float64Slice) float64 {
	t.Helper()
	var scalars []float64Slice
	call := &kernels.RefCall{Shape: s, Flags: kernels.Flags(flags), Operands: clone(in), Tolerance: make([][]float64, len(in)), Products: make([][]float64, len(in))}
	for _, scalar := range op.Scalars {
		v := map[string]float64{"momentum": 0.9, "weight_decay": 5e-4, "eps": 1e-5}[scalar]
		scalars = append(scalars, float64Slice{v})
		call.Scalars = append(call.Scalars, v)
	}
	for i := range op.Operands {
		if op.Operands[i].Role != kernels.In && in[i] != nil {
			call.Tolerance[i] = make([]float64, len(in[i]))
		}
		if op.Operands[i].Role == kernels.Out && in[i] != nil {
			clear(call.Operands[i]) // a reference leaves out what nothing adds to
		}
	}
	op.Reference(call)
	got := m.run(t, name, op, s, flags, scalars, in)
	sum := 0.0
	for i, operand := range op.Operands {
		for j, v := range got[i] {
			want, bound := in[i][j], 0.0
			if operand.Role != kernels.In {
				want, bound = call.Operands[i][j], call.Tolerance[i][j]*0x1p-24
				sum += math.Abs(want)
			}
			if !(math.Abs(v-want) <= bound) {
				t.Fatalf("%s[%d] is %g, the reference says %g, bound %g", operand.Name, j, v, want, bound)
			}
		}
	}
	return sum
}

// After a loss that was not finite, sgd changes nothing and advance counts no step.
func TestNonFiniteFlag(t *testing.T) {
	m := open(t)
	for _, op := range kernels.Ops() {
		if op.ID != kernels.SGD && op.ID != kernels.Advance {
			continue
		}
		in := inputs(op, kernels.Shape{N: 37}, rand.New(rand.NewPCG(3, 4)))
		in[op.Index("state")][kernels.StateNonFinite] = 5
		compare(t, m, op.Name+"_direct", op, kernels.Shape{N: 37}, 0, in)
	}
}

func TestReLUKeepsNaN(t *testing.T) {
	m := open(t)
	op := kernels.ReLUForward.Op()
	x := make([]float64, 9)
	x[2], x[8] = math.NaN(), math.NaN()
	got := m.run(t, "relu_forward_direct", op, kernels.Shape{N: 9}, 0, nil, []float64Slice{x, make([]float64, 9)})
	for i, v := range got[1] {
		if math.IsNaN(v) != math.IsNaN(x[i]) {
			t.Errorf("y[%d] = %g of %g", i, v, x[i])
		}
	}
}

// The numbers that device.cuh and library.go repeat are the table's.
func TestHeaderAgreesWithTheTable(t *testing.T) {
	header, err := os.ReadFile("device.cuh")
	must(t, err)
	want := fmt.Sprintf("FLAG_RELU = %d, FLAG_RANDOM_CROP_FLIP = %d", kernels.ReLU, kernels.RandomCropFlip)
	if !strings.Contains(string(header), want) {
		t.Errorf("device.cuh lacks %q", want)
	}
	if cuda.FP32 != cuda.Precision(kernels.FP32) || cuda.TF32 != cuda.Precision(kernels.TF32) || cuda.BF16 != cuda.Precision(kernels.BF16) {
		t.Error("library.go's precisions are not the table's")
	}
	if cuda.ReLU != uint32(kernels.ReLU) || cuda.RandomCropFlip != uint32(kernels.RandomCropFlip) || cuda.MaxOperands != kernels.MaxOperands || cuda.MaxScalars != kernels.MaxScalars {
		t.Error("library.go's flags or bounds are not the table's")
	}
	slots := regexp.MustCompile(`enum \{ (STATE_[^}]*) \}`).FindSubmatch(header)
	if slots == nil {
		t.Fatal("device.cuh has no slots of the state")
	}
	numbers := map[string]int{"STATE_STEP": kernels.StateStep, "STATE_SLOT": kernels.StateSlot, "STATE_CURSOR": kernels.StateCursor,
		"STATE_EPOCH": kernels.StateEpoch, "STATE_SEED": kernels.StateSeed, "STATE_NONFINITE": kernels.StateNonFinite}
	for i, name := range strings.Split(string(slots[1]), ", ") {
		if n, ok := numbers[name]; !ok || n != i {
			t.Errorf("%s is %d in device.cuh, %d in the table", name, i, n)
		}
	}
}

// Every source is in the program, states its contract, and is launched.
func TestEverySourceIsAKernel(t *testing.T) {
	sources, err := filepath.Glob("*.cu")
	must(t, err)
	var names []string
	for _, source := range sources {
		name := strings.TrimSuffix(source, ".cu")
		names = append(names, name)
		text, err := os.ReadFile(source)
		must(t, err)
		for _, part := range []string{"// " + name + ": ", "// Grid: ", "Builds for: sm_", "EXPORT_KERNEL(" + name} {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s lacks %q", source, part)
			}
		}
		if strings.Contains(string(text), "asm") {
			t.Errorf("%s: inline PTX belongs into device.cuh", source)
		}
	}
	if len(names) == 0 || !slices.Equal(names, cuda.Names()) {
		t.Errorf("sources %v, in the program %v: make cuda-kernels", names, cuda.Names())
	}
}
