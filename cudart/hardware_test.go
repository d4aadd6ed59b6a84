//go:build cuda

package cudart

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"gorgonia.org/cu"

	"nctrain/cudart/emu"
)

// What hardware punishes at some later time, and the emulated driver at once: tests of the emulated driver's rules by calls that this package does not make.

func openEmulated(t *testing.T) (*Device, *Stream, *Function, *Arena) {
	t.Helper()
	if n, err := Count(); err != nil || n == 0 || !Emulated() {
		t.Skip("only the emulated driver finds faults by rule: make emu, and set NCTRAIN_CUDA_DRIVER=build/libcuda_emu.so")
	}
	fail := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	d, err := Open(0)
	fail(err)
	t.Cleanup(func() { fail(d.Close()) })
	image, err := emu.Image(true, "..", "testdata/axpy.cu")
	fail(err)
	m, err := d.LoadModule("axpy", image)
	fail(err)
	f, err := m.Function("axpy")
	fail(err)
	s, err := d.NewStream()
	fail(err)
	a, err := d.NewArena(4096)
	fail(err)
	return d, s, f, a
}

// The driver returns from a copy of memory that is not pinned when it has taken the bytes, and a stream that does not wait for the default one does not wait for
// their arrival (CUDA driver API, "API synchronization behavior").
func TestAnUploadIsOnItsWay(t *testing.T) {
	if os.Getenv("NCTRAIN_EMU_COPIES") == "early" {
		t.Skip("NCTRAIN_EMU_COPIES=early")
	}
	d, s, f, a := openEmulated(t)
	at, err := a.Take(0, 8)
	if err != nil {
		t.Fatal(err)
	}
	bytes := []byte{0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f}
	run := func() error {
		return s.Launch(f, Linear(1, 1), Pointer(at), Pointer(at+4), Scalar(float32(1)), Scalar(int64(1)))
	}
	bare := func() error { return d.do(func() error { return copyIn(at, bytes) }) }
	if err := errors.Join(bare(), run()); err == nil || !strings.Contains(err.Error(), "has not been waited for") {
		t.Errorf("a kernel behind a copy alone: %v", err)
	}
	ForgetFault()
	p, err := d.NewPinned(8)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(bare(), s.Download(p, at, 8)); err == nil || !strings.Contains(err.Error(), "what an upload brings") {
		t.Errorf("a download behind a copy alone: %v", err)
	}
	ForgetFault()
	if err := errors.Join(p.Close(), bare(), d.Synchronize(), run(), d.Upload(at, bytes), run()); err != nil {
		t.Errorf("a kernel behind a copy that was waited for: %v", err)
	}
}

// A context is current to the device's own thread alone.
func TestOtherThreadsHaveNoContext(t *testing.T) {
	d, _, _, _ := openEmulated(t)
	answer := make(chan error)
	go func() {
		runtime.LockOSThread() // a thread of its own, which ends with it
		_, err := cu.MemAlloc(16)
		answer <- err
	}()
	if err := describe(<-answer); !errors.Is(err, Status(201)) || !strings.Contains(err.Error(), "no context is current to this thread") {
		t.Errorf("an allocation on another thread: %v", err)
	}
	if _, err := d.FreeMemory(); err != nil {
		t.Error(err)
	}
}

// A capture in which something was refused is lost, even where the body does not say so.
func TestARefusalSpoilsTheCapture(t *testing.T) {
	d, s, _, a := openEmulated(t)
	at, err := a.Take(0, 4)
	if err != nil {
		t.Fatal(err)
	}
	for what, unsafeCall := range map[string]func() error{
		"upload":     func() error { return d.Upload(at, make([]byte, 4)) },
		"allocation": func() error { _, err := d.NewArena(16); return err },
		"wait":       d.Synchronize,
	} {
		if _, err := s.Capture(func() error {
			if err := unsafeCall(); !errors.Is(err, Status(900)) {
				t.Errorf("%s inside a capture: %v", what, err)
			}
			return nil
		}); !errors.Is(err, Status(901)) {
			t.Errorf("a capture with a refused %s: %v", what, err)
		}
	}
	g, err := s.Capture(func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}
