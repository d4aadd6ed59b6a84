package cpu

import (
	"fmt"
	"runtime"
	"testing"
	"unsafe"
)

// Thousands of regions of a few tiny tasks, each reading what the one before it wrote, also with more threads than processors: a lost wake-up hangs
// here, and a task run twice, late or not at all breaks the chain.
func TestPoolManyTinyRegions(t *testing.T) {
	const tasks, steps = 5, 64
	replays := 300
	if testing.Short() {
		replays = 30
	}
	k, _ := Find("avg_pool_forward_direct", Baseline, 32) // over one pixel: y = x, a task an image
	for _, threads := range []int{1, 2, 3, runtime.NumCPU(), 4*runtime.NumCPU() + 1} {
		pool, err := NewPool(threads)
		if err != nil {
			t.Fatal(err)
		}
		if pool.Threads() != threads {
			t.Errorf("Threads() = %d, want %d", pool.Threads(), threads)
		}
		memory := mapBytes(t, (steps+1)*tasks*4)
		values := unsafe.Slice((*float32)(unsafe.Pointer(&memory[0])), (steps+1)*tasks)
		recording := newRecording(t)
		for step := range steps {
			call := &Call{Shape: Shape{N: tasks, H: 1, W: 1, C: 1}}
			call.Operand[0] = uintptr(unsafe.Pointer(&values[step*tasks]))
			call.Operand[1] = uintptr(unsafe.Pointer(&values[(step+1)*tasks]))
			if err := recording.Add(k, call); err != nil {
				t.Fatal(err)
			}
		}
		for replay := range replays {
			for i := range tasks {
				values[i] = float32(replay*tasks + i)
			}
			recording.Replay(pool)
			for i := range tasks {
				if got, want := values[steps*tasks+i], float32(replay*tasks+i); got != want {
					t.Fatalf("%d threads, replay %d: %v at the end of the chain, want %v", threads, replay, got, want)
				}
			}
		}
		pool.Close()
	}
}

func TestPoolRefusesImpossibleSizes(t *testing.T) {
	for _, threads := range []int{-1, 0, 100_000} {
		if pool, err := NewPool(threads); err == nil {
			pool.Close()
			t.Errorf("NewPool(%d) gave a pool", threads)
		}
	}
}

func newRecording(t *testing.T) *Recording {
	t.Helper()
	r, err := NewRecording()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// A replay allocates neither in Go nor in C++. (That no kernel calls an allocator at all is TestISAsDoNotLeak's.)
func TestReplayDoesNotAllocate(t *testing.T) {
	pool, err := NewPool(3)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	recording := newRecording(t)
	s := Shape{N: 4, H: 6, W: 6, C: 16, K: 16, R: 3, S: 3, Stride: 1, Pad: 1}
	var last Kernel
	var lastCall *Call
	for _, name := range []string{"conv_fprop_direct", "conv_wgrad_direct", "bn_stats_direct"} {
		k, ok := Find(name, Detect(), 32)
		if !ok {
			t.Fatal(name)
		}
		args := []arg{{in: reals(1, 4*6*6*16)}, {in: reals(2, 4*6*6*16)}, {in: reals(3, 4*6*6*16)}, {in: reals(4, 16)}, {in: reals(5, 16)}, {in: reals(6, 16)}}
		call, _ := prepare(t, k, 32, s, args, 0)
		if err := pool.Reserve(k.Requirements(s).Scratch); err != nil {
			t.Fatal(err)
		}
		if err := recording.Add(k, call); err != nil {
			t.Fatal(err)
		}
		last, lastCall = k, call
	}
	nanoseconds := make([]int64, recording.Len())
	before := Allocations()
	inGo := testing.AllocsPerRun(20, func() {
		recording.Replay(pool)
		recording.Profile(pool, nanoseconds)
		Run(last, lastCall, pool)
	})
	if inGo != 0 {
		t.Errorf("a replay allocates %v times in Go", inGo)
	}
	if n := Allocations() - before; n != 0 {
		t.Errorf("replays allocated %d times in C++", n)
	}
	for i, ns := range nanoseconds {
		if ns <= 0 {
			t.Errorf("Profile: call %d took %d ns", i, ns)
		}
	}
}

func TestMap(t *testing.T) {
	p, err := Map(3 << 20)
	if err != nil {
		t.Fatal(err)
	}
	if p%(2<<20) != 0 {
		t.Errorf("Map gave %#x, which is not aligned to 2 MiB", p)
	}
	Unmap(p, 3<<20)
	for _, bytes := range []int64{0, -1, 1 << 60} {
		if p, err := Map(bytes); err == nil {
			Unmap(p, bytes)
			t.Errorf("Map(%d) succeeded", bytes)
		}
	}
}

func TestISAs(t *testing.T) {
	if !Baseline.Supported() || !Detect().Supported() || ISA(99).Supported() {
		t.Error("the baseline and the detected instruction set are supported, an unknown one is not")
	}
	for _, isa := range SupportedISAs() {
		if got, err := ParseISA(isa.String()); got != isa || err != nil {
			t.Errorf("ParseISA(%q) = %v, %v", isa, got, err)
		}
		for _, bits := range []int{32, 64} {
			names := Names(isa, bits)
			if base := Names(Baseline, bits); fmt.Sprint(names) != fmt.Sprint(base) {
				t.Errorf("%v has the kernels %v, the baseline %v", isa, names, base)
			}
			for _, name := range names {
				if k, ok := Find(name, isa, bits); !ok || k.Name() != name {
					t.Errorf("Find(%q, %v, %d) does not give it", name, isa, bits)
				}
			}
		}
	}
	if _, err := ParseISA("sse9"); err == nil {
		t.Error("ParseISA took sse9")
	}
	if _, ok := Find("conv_fprop_magic", Baseline, 32); ok {
		t.Error("Find found conv_fprop_magic")
	}
}
