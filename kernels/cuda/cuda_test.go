//go:build cuda

package cuda_test

import (
	"errors"
	"fmt"
	"hash/fnv"
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

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// needDriver skips a test where there is no CUDA device, or fails it where NCTRAIN_REQUIRE_GPU=1 says that there is one.
func needDriver(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, cudart.ErrNoDevice) && os.Getenv("NCTRAIN_REQUIRE_GPU") != "1" {
		t.Skip("no CUDA driver: make emu, and set NCTRAIN_CUDA_DRIVER=build/libcuda_emu.so")
	}
	must(t, err)
}

func open(t *testing.T) kernels.Device {
	t.Helper()
	dev, err := kernels.OpenCUDA()
	needDriver(t, err)
	t.Cleanup(func() {
		cudart.ForgetFault()
		must(t, dev.Close())
	})
	return dev
}

// needPrecision skips a test where the card is older than a precision.
func needPrecision(t *testing.T, dev kernels.Device, p kernels.Precision) {
	t.Helper()
	if !slices.Contains(dev.Capabilities().Precisions, p) {
		t.Skipf("%s has no %v", dev.Description(), p)
	}
}

// quickFlop bounds the shapes of a quick test: under the emulated driver a multiplication costs some 30 ns.
const quickFlop = 1e6

// Every variant conforms at every precision and at each of its operation's shapes; under the emulated driver at the small ones, unless NCTRAIN_CHECK=full.
func TestConformance(t *testing.T) {
	dev := open(t)
	quick := testing.Short() || dev.Capabilities().Emulated && os.Getenv("NCTRAIN_CHECK") != "full"
	for _, op := range kernels.Ops() {
		for _, v := range kernels.Variants(op.ID, kernels.CUDA) {
			for _, p := range v.Precisions {
				t.Run(fmt.Sprintf("%s/%s/%v", op.Name, v.Name, p), func(t *testing.T) {
					needPrecision(t, dev, p)
					var sum kernels.CheckResult
					for _, s := range op.Shapes {
						if v.Check(s, p, dev.Capabilities()) != nil || quick && op.Flop(s) > quickFlop {
							continue
						}
						r, err := kernels.Check(dev, v, p, s, seedOf(op.Name+s.String()))
						must(t, err)
						sum.Add(r)
					}
					if sum.Calls == 0 {
						t.Errorf("nothing was checked on %s", dev.Description())
					}
					t.Logf("%d calls, worst %.3f of the bound: %s", sum.Calls, sum.Worst, sum.WorstAt)
				})
			}
		}
	}
}

// seedOf gives each shape's inputs a seed of its own that does not change between runs.
func seedOf(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
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
	var rows []string
	for _, op := range kernels.Ops() {
		for _, v := range kernels.Variants(op.ID, kernels.CUDA) {
			rows = append(rows, v.KernelName())
		}
	}
	rows = append(rows, "peak_fma_direct", "peak_mma", "peak_read_direct") // the roofline's
	slices.Sort(rows)
	if rows = slices.Compact(rows); !slices.Equal(rows, names) {
		t.Errorf("sources %v, rows of kernels/variants_cuda.go for %v", names, rows)
	}
}

// A part of the card's memory can be left to others.
func TestMemoryIsBounded(t *testing.T) {
	t.Setenv("NCTRAIN_CUDA_MEMORY", "1000000")
	dev := open(t)
	if _, err := dev.Alloc(1 << 20); err == nil || !strings.Contains(err.Error(), "out of device memory: asked for 1 MiB, 1 of 1 MiB") {
		t.Errorf("1 MiB of 1,000,000 bytes: %v", err)
	}
	b, err := dev.Alloc(900000)
	must(t, err)
	dev.Free(b)
	for _, text := range []string{"all", "255"} {
		t.Setenv("NCTRAIN_CUDA_MEMORY", text)
		if _, err := kernels.OpenCUDA(); err == nil || !strings.Contains(err.Error(), "NCTRAIN_CUDA_MEMORY="+text+": it is a number of bytes, at least 256") {
			t.Errorf("NCTRAIN_CUDA_MEMORY=%s: %v", text, err)
		}
	}
}
