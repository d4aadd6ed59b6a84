//go:build cuda

package cudart_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"nctrain/cudart"
	"nctrain/cudart/emu"
)

func raw(f []float32) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&f[0])), 4*len(f)) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// axpy is testdata/axpy.cu for the driver at work, which is one in a process.
var axpy = sync.OnceValues(func() ([]byte, error) { return emu.Image(cudart.Emulated(), "..", "testdata/axpy.cu") })

// machine is a device with testdata/axpy.cu and an arena.
type machine struct {
	*cudart.Device
	stream *cudart.Stream
	module *cudart.Module
	arena  *cudart.Arena
}

func open(t *testing.T) machine {
	t.Helper()
	required := os.Getenv("NCTRAIN_REQUIRE_GPU") == "1"
	if n, err := cudart.Count(); !required && (err != nil || n == 0) {
		t.Skip("no CUDA driver: make emu, and set NCTRAIN_CUDA_DRIVER=build/libcuda_emu.so")
	}
	var m machine
	var err error
	m.Device, err = cudart.Open(0)
	must(t, err)
	t.Cleanup(func() { must(t, m.Close()) })
	object, err := axpy()
	if errors.Is(err, fs.ErrNotExist) && !required {
		t.Skip(err)
	}
	must(t, err)
	m.module, err = m.LoadModule("axpy", object)
	must(t, err)
	m.stream, err = m.NewStream()
	must(t, err)
	m.arena, err = m.NewArena(1 << 16)
	must(t, err)
	return m
}

// vector takes n floats of the arena and uploads them.
func (m machine) vector(t *testing.T, offset int, values []float32) cudart.Address {
	t.Helper()
	at, err := m.arena.Take(offset, 4*len(values))
	must(t, err)
	must(t, m.Upload(at, raw(values)))
	return at
}

func (m machine) read(t *testing.T, at cudart.Address, n int) []float32 {
	t.Helper()
	out := make([]float32, n)
	must(t, m.Download(raw(out), at))
	return out
}

func TestCapabilities(t *testing.T) {
	c := open(t).Capabilities()
	if c.Emulated && c.SM() != "sm_90" || c.Major < 7 || c.Multiprocessors < 1 || c.Memory < 1<<20 || c.SharedPerBlockOptIn <= c.SharedPerBlock || c.Name == "" || c.DriverVersion < 12000 {
		t.Errorf("%+v", c)
	}
}

func TestLaunch(t *testing.T) {
	m := open(t)
	x := make([]float32, 1000)
	y := make([]float32, 1000)
	for i := range x {
		x[i], y[i] = float32(i), 1
	}
	dx, dy := m.vector(t, 0, x), m.vector(t, 8192, y)
	f, err := m.module.Function("axpy")
	must(t, err)
	must(t, m.stream.Launch(f, cudart.Linear(4, 256), cudart.Pointer(dy), cudart.Pointer(dx), cudart.Scalar(float32(3)), cudart.Scalar(int64(1000))))
	for i, v := range m.read(t, dy, 1000) {
		if v != 3*float32(i)+1 {
			t.Fatalf("y[%d] = %g", i, v)
		}
	}
}

func TestArgumentsMustBeTheKernels(t *testing.T) {
	m := open(t)
	f, err := m.module.Function("axpy")
	must(t, err)
	if m.Capabilities().DriverVersion < 12040 {
		t.Skip("the driver is older than CUDA 12.4 and does not tell a kernel's parameters")
	}
	p := cudart.Pointer(m.arena.Base())
	for _, c := range []struct {
		args []cudart.Arg
		want string
	}{
		{[]cudart.Arg{p, p, cudart.Scalar(float64(3)), cudart.Scalar(int64(1))}, "argument 2 has 8 bytes, the kernel takes 4"},
		{[]cudart.Arg{p, p, cudart.Scalar(float32(3)), cudart.Scalar(int32(1))}, "argument 3 has 4 bytes, the kernel takes 8"},
		{[]cudart.Arg{p, p}, "2 arguments, the kernel takes 4"},
	} {
		err := m.stream.Launch(f, cudart.Linear(1, 32), c.args...)
		if err == nil || !strings.Contains(err.Error(), "launch axpy grid 1x1x1 block 32x1x1") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: want kernel, geometry and %q", err, c.want)
		}
	}
}

func TestDynamicSharedMemory(t *testing.T) {
	m := open(t)
	x := make([]float32, 64)
	for i := range x {
		x[i] = float32(i)
	}
	dx, dy := m.vector(t, 0, x), m.vector(t, 8192, x)
	f, err := m.module.Function("reverse")
	must(t, err)
	g := cudart.Linear(1, 64)
	g.Shared = 4 * 64
	must(t, m.stream.Launch(f, g, cudart.Pointer(dy), cudart.Pointer(dx), cudart.Scalar(int32(64))))
	for i, v := range m.read(t, dy, 64) {
		if v != float32(63-i) {
			t.Fatalf("y[%d] = %g", i, v)
		}
	}
	large := m.Capabilities().SharedPerBlockOptIn
	g.Shared = large
	if err := m.stream.Launch(f, g, cudart.Pointer(dy), cudart.Pointer(dx), cudart.Scalar(int32(64))); err == nil {
		t.Errorf("%d bytes of shared memory without AllowShared: no error", large)
	}
	must(t, f.AllowShared(large))
	must(t, m.stream.Launch(f, g, cudart.Pointer(dy), cudart.Pointer(dx), cudart.Scalar(int32(64))))
}

func TestCaptureAndReplay(t *testing.T) {
	m := open(t)
	dx, dy := m.vector(t, 0, []float32{1, 2, 3}), m.vector(t, 8192, []float32{0, 0, 0})
	f, err := m.module.Function("axpy")
	must(t, err)
	axpy := func() error {
		return m.stream.Launch(f, cudart.Linear(1, 32), cudart.Pointer(dy), cudart.Pointer(dx), cudart.Scalar(float32(1)), cudart.Scalar(int64(3)))
	}
	g, err := m.stream.Capture(func() error { return errors.Join(axpy(), axpy()) })
	must(t, err)
	if got := m.read(t, dy, 3); got[2] != 0 {
		t.Errorf("a capture ran: %v", got)
	}
	if g.Len() != 2 {
		t.Errorf("%d nodes, not 2", g.Len())
	}
	for range 3 {
		must(t, g.Replay())
	}
	if got := m.read(t, dy, 3); got[0] != 6 || got[2] != 18 {
		t.Errorf("after 3 replays of 2 launches: %v", got)
	}
	if n := testing.AllocsPerRun(10, func() { must(t, g.Replay()) }); n != 0 {
		t.Errorf("a replay allocates %g times", n)
	}
	must(t, g.Close())

	// A body that fails leaves a stream that works.
	failure := errors.New("body failed")
	if _, err := m.stream.Capture(func() error { return failure }); !errors.Is(err, failure) {
		t.Errorf("capture of a body that fails: %v", err)
	}
	must(t, axpy())
}

// Copies that wait cannot be part of a capture.
func TestCaptureRefusesCopiesThatWait(t *testing.T) {
	m := open(t)
	dx := m.vector(t, 0, []float32{1})
	_, err := m.stream.Capture(func() error { return m.Upload(dx, raw([]float32{2})) })
	if err == nil {
		t.Error("an upload was captured")
	}
}

func TestStreamsPinnedMemoryAndEvents(t *testing.T) {
	m := open(t)
	p, err := m.NewPinned(16)
	must(t, err)
	copy(p.Bytes(), raw([]float32{1, 2, 3, 4}))
	at, err := m.arena.Take(0, 16)
	must(t, err)
	start, err := m.NewEvent()
	must(t, err)
	end, err := m.NewEvent()
	must(t, err)
	must(t, start.Record(m.stream))
	must(t, m.stream.Upload(at, p, 16))
	must(t, m.stream.Fill(at+4, 0, 8))
	must(t, m.stream.Synchronize())
	clear(p.Bytes())
	must(t, m.stream.Download(p, at, 16))
	must(t, end.Record(m.stream))
	must(t, end.Synchronize())
	must(t, m.stream.Synchronize())
	if got := unsafe.Slice((*float32)(unsafe.Pointer(&p.Bytes()[0])), 4); got[0] != 1 || got[1] != 0 || got[2] != 0 || got[3] != 4 {
		t.Errorf("%v", got)
	}
	if d, err := end.Since(start); err != nil || d < 0 {
		t.Errorf("%v %v", d, err)
	}
	must(t, errors.Join(start.Close(), end.Close(), p.Close(), m.stream.Close(), m.module.Close(), m.arena.Close()))
}

func TestErrorsSayWhatWasAsked(t *testing.T) {
	m := open(t)
	if _, err := m.NewArena(1 << 40); !errors.Is(err, cudart.OutOfMemory) || !strings.Contains(err.Error(), "1099511627776 bytes of device memory asked") {
		t.Errorf("out of memory: %v", err)
	}
	if _, err := m.module.Function("nobody"); err == nil || !strings.Contains(err.Error(), "find kernel nobody") {
		t.Errorf("unknown kernel: %v", err)
	}
	if _, err := m.LoadModule("rubbish", make([]byte, 4096)); err == nil || !strings.Contains(err.Error(), "load kernels rubbish (4096 bytes) for "+m.Capabilities().SM()) {
		t.Errorf("no image: %v", err)
	}
	n, err := cudart.Count()
	must(t, err)
	if _, err := cudart.Open(n); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("device %d: this machine has %d", n, n)) {
		t.Errorf("device %d: %v", n, err)
	}
}

// The emulated driver can lose the device at the n-th piece of queued work, and a program can start without any driver; both are chosen by the environment.
func TestOtherDrivers(t *testing.T) {
	if test := os.Getenv("NCTRAIN_CUDART_TEST"); test != "" {
		d, err := cudart.Open(0)
		if test == "none" {
			if !errors.Is(err, cudart.ErrNoDevice) || !strings.Contains(err.Error(), "/nowhere/libcuda.so") {
				t.Errorf("without a driver: %v", err)
			}
			return
		}
		if test == "order" {
			if !errors.Is(err, cudart.ErrNoDevice) || !strings.Contains(err.Error(), "NCTRAIN_EMU_ORDER is round, reverse or random:SEED") {
				t.Errorf("an order that is none: %v", err)
			}
			return
		}
		must(t, err)
		arena, err := d.NewArena(4096)
		must(t, err)
		at, err := arena.Take(0, 4)
		must(t, err)
		must(t, d.Upload(at, raw([]float32{1})))
		for _, name := range []string{"the second", "a later"} {
			if err := d.Upload(at, raw([]float32{2})); err == nil || !strings.Contains(err.Error(), "CUDA error 214") {
				t.Errorf("%s upload to a lost device: %v", name, err)
			}
		}
		return
	}
	if !open(t).Capabilities().Emulated {
		t.Skip("the driver is a real one: only the emulated one can be told to fail")
	}
	self, err := os.Executable()
	must(t, err)
	for _, env := range [][]string{{"NCTRAIN_CUDART_TEST=none", "NCTRAIN_CUDA_DRIVER=/nowhere/libcuda.so"}, {"NCTRAIN_CUDART_TEST=lost", "NCTRAIN_EMU_FAIL=2"}, {"NCTRAIN_CUDART_TEST=order", "NCTRAIN_EMU_ORDER=sideways"}} {
		cmd := exec.Command(self, "-test.run", "TestOtherDrivers")
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", env, err, out)
		}
	}
}
