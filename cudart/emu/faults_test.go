//go:build cuda

package emu_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"nctrain/cudart"
	"nctrain/cudart/emu"
)

const elements = 128 // of both buffers: 2 blocks of 64 threads

// image is testdata/faults.cu for the emulated driver.
var image = sync.OnceValues(func() ([]byte, error) { return emu.Compile("../..", "testdata/faults.cu") })

// bench is the emulated device with the kernels of testdata/faults.cu, and two buffers in one arena.
type bench struct {
	device  *cudart.Device
	stream  *cudart.Stream
	module  *cudart.Module
	arena   *cudart.Arena
	in, out cudart.Address
	shared  int // bytes of dynamic shared memory of a launch
}

func newBench(t *testing.T) *bench {
	t.Helper()
	if n, err := cudart.Count(); err != nil || n == 0 {
		t.Skip("no CUDA driver: make emu, and set NCTRAIN_CUDA_DRIVER=build/libcuda_emu.so")
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	b := &bench{}
	var err error
	b.device, err = cudart.Open(0)
	check(err)
	t.Cleanup(func() { check(b.device.Close()) })
	if !b.device.Capabilities().Emulated {
		t.Skip("the driver is a real one: only the emulated one finds faults by rule")
	}
	object, err := image()
	check(err)
	b.module, err = b.device.LoadModule("faults", object)
	check(err)
	b.stream, err = b.device.NewStream()
	check(err)
	b.arena, err = b.device.NewArena(4096)
	check(err)
	b.in, err = b.arena.Take(1024, elements*4)
	check(err)
	return b
}

// run launches a kernel on fresh buffers, out not written by anybody.
func (b *bench) run(t *testing.T, kernel string) ([]float32, error) {
	t.Helper()
	cudart.ForgetFault()
	var err error
	if b.out, err = b.arena.Take(2048, elements*4); err != nil {
		t.Fatal(err)
	}
	in, out := make([]float32, elements), make([]float32, elements)
	for i := range in {
		in[i] = float32(i) + 1
	}
	if err := b.device.Upload(b.in, raw(in)); err != nil {
		t.Fatal(err)
	}
	f, err := b.module.Function(kernel)
	if err != nil {
		t.Fatal(err)
	}
	g := cudart.Linear(2, 64)
	g.Shared = b.shared
	if err := b.stream.Launch(f, g, cudart.Pointer(b.out), cudart.Pointer(b.in), cudart.Scalar(int32(elements))); err != nil {
		return nil, err
	}
	if err := b.device.Download(raw(out), b.out); err != nil {
		t.Fatal(err)
	}
	return out, nil
}

func raw(f []float32) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&f[0])), 4*len(f)) }

// Each kernel of testdata/faults.cu says on which lines, and how, its fault is to be reported: `// FAULT kernel: text`.
func TestEachRuleCatchesItsFault(t *testing.T) {
	b := newBench(t)
	source, err := os.ReadFile("testdata/faults.cu")
	if err != nil {
		t.Fatal(err)
	}
	type line struct{ place, text string }
	expected := map[string][]line{}
	var kernels []string
	fault := regexp.MustCompile(`// FAULT (\w+): ?(.*)`)
	for i, text := range strings.Split(string(source), "\n") {
		if m := fault.FindStringSubmatch(text); m != nil {
			if expected[m[1]] == nil {
				kernels = append(kernels, m[1])
			}
			expected[m[1]] = append(expected[m[1]], line{fmt.Sprintf("faults.cu:%d", i+1), m[2]})
		}
	}
	if len(kernels) < 22 {
		t.Fatalf("testdata/faults.cu names %d faults, at least 22 are known: this test reads it wrongly", len(kernels))
	}
	for _, kernel := range kernels {
		t.Run(kernel, func(t *testing.T) {
			_, err := b.run(t, kernel)
			if err == nil {
				t.Fatal("the fault was not found")
			}
			report := err.Error()
			for _, l := range expected[kernel] {
				if strings.Contains(report, l.place) && strings.Contains(report, l.text) && strings.Contains(report, "kernel "+kernel+" block (") {
					return
				}
			}
			t.Errorf("%v\nexpected one of %v, with kernel and block", err, expected[kernel])
		})
	}
}

func TestSoundKernelsAreNotReported(t *testing.T) {
	b := newBench(t)
	halves := [2]float32{64 * 65 / 2, 64*65/2 + 64*64}
	for kernel, want := range map[string]func(i int) float32{
		"sound_block_sum":     func(i int) float32 { return halves[i/64] },
		"sound_warp_exchange": func(i int) float32 { return 2 * float32(i/32*32+(i+1)%32+1) },
		"sound_copies":        func(i int) float32 { return 3 * float32(i/64*64+63-i%64+1) },
		"sound_atomics":       func(int) float32 { return 64 },
		"sound_warp_barriers": func(i int) float32 { return float32(i^1) + 1 },
	} {
		t.Run(kernel, func(t *testing.T) {
			out, err := b.run(t, kernel)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range out {
				if v != want(i) {
					t.Fatalf("element %d is %g, not %g", i, v, want(i))
				}
			}
		})
	}
}

// Shared arrays and dynamic memory together have 48 KB without asking, and what the card has after it.
func TestStaticAndDynamicSharedMemoryTogether(t *testing.T) {
	b := newBench(t)
	b.shared = 48 << 10
	const kernel = "static_beside_dynamic"
	if _, err := b.run(t, kernel); err == nil || !strings.Contains(err.Error(), "with 49152 bytes of dynamic memory, take more than the block may have") {
		t.Errorf("without asking: %v", err)
	}
	f, err := b.module.Function(kernel)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.AllowShared(b.shared); err != nil {
		t.Fatal(err)
	}
	if _, err := b.run(t, kernel); err != nil {
		t.Errorf("after asking: %v", err)
	}
}

// The rules do not depend on the order in which threads and blocks run.
func TestEachRuleInOtherOrders(t *testing.T) {
	newBench(t) // skips without the emulated driver
	if os.Getenv("NCTRAIN_EMU_ORDER") != "" {
		t.Skip("an order is chosen already")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, order := range []string{"reverse", "random:1"} {
		cmd := exec.Command(self, "-test.run", "TestEachRuleCatchesItsFault|TestSoundKernelsAreNotReported")
		cmd.Env = append(os.Environ(), "NCTRAIN_EMU_ORDER="+order)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("order %s: %v\n%s", order, err, out)
		}
	}
}

// A fault stays until the process forgets it, as a context that met one does.
func TestAFaultStays(t *testing.T) {
	b := newBench(t)
	if _, err := b.run(t, "read_past_the_end"); err == nil {
		t.Fatal("the fault was not found")
	}
	defer cudart.ForgetFault()
	if err := b.device.Synchronize(); err == nil || !strings.Contains(err.Error(), "faults.cu") {
		t.Errorf("synchronize after a fault: %v", err)
	}
}
