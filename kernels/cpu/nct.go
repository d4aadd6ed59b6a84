// Package cpu runs the kernels of the CPU: C++ sources in this folder, one table of kernels for each instruction set, a pool of threads that are not
// goroutines, and recordings of calls that replay without allocating.
//
// It knows nothing of the table of operations: package kernels gives a kernel its operands in the order of the operation's row.
package cpu

/*
#cgo CXXFLAGS: -O3 -std=c++20 -Wall -Wextra -Wno-psabi
#cgo LDFLAGS: -lpthread
#cgo noescape nct_call_run
#cgo nocallback nct_call_run
#cgo noescape nct_recording_add
#cgo nocallback nct_recording_add
#cgo nocallback nct_recording_replay
#cgo noescape nct_recording_profile
#cgo nocallback nct_recording_profile
#cgo noescape nct_kernel_requirements
#cgo nocallback nct_kernel_requirements
#include <stdlib.h>
#include "nct.h"

static void nct_call_run(const nct_kernel* kernel, const nct_call* call, nct_pool* pool) { kernel->run(call, pool); }

static void nct_kernel_requirements(const nct_kernel* kernel, const nct_shape* shape, nct_requirements* r) {
  if (kernel->requirements) kernel->requirements(shape, r);
}

static uintptr_t nct_map_address(int64_t bytes) { return (uintptr_t)nct_memory_map(bytes); }
static void nct_unmap_address(uintptr_t address, int64_t bytes) { nct_memory_unmap((void*)address, bytes); }
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"
)

// MaxOperands and MaxScalars bound a call.
const (
	MaxOperands = C.NCT_MAX_OPERANDS
	MaxScalars  = C.NCT_MAX_SCALARS
)

// Flags of a [Call].
const (
	ReLU           = uint32(C.NCT_RELU)
	RandomCropFlip = uint32(C.NCT_RANDOM_CROP_FLIP)
)

// ISA is an instruction set; on one architecture a greater one has wider vectors.
type ISA int

const (
	Baseline ISA = C.NCT_ISA_BASELINE
	AVX2     ISA = C.NCT_ISA_AVX2
	AVX512   ISA = C.NCT_ISA_AVX512
	NEON     ISA = C.NCT_ISA_NEON
	numISAs  ISA = C.NCT_ISA_COUNT
)

var isaNames = [numISAs]string{Baseline: "baseline", AVX2: "avx2", AVX512: "avx512", NEON: "neon"}

func (isa ISA) String() string {
	if isa < 0 || isa >= numISAs {
		return fmt.Sprintf("ISA(%d)", int(isa))
	}
	return isaNames[isa]
}

// Supported says whether this machine runs the kernels of isa (and this build has them).
func (isa ISA) Supported() bool { return C.nct_isa_supported(C.int(isa)) != 0 }

// Detect is the best instruction set of this machine.
func Detect() ISA { return ISA(C.nct_isa_detect()) }

// SupportedISAs are all that this machine runs, ascending.
func SupportedISAs() []ISA {
	var isas []ISA
	for isa := Baseline; isa < numISAs; isa++ {
		if isa.Supported() {
			isas = append(isas, isa)
		}
	}
	return isas
}

// ParseISA reads the value of NCTRAIN_CPU_ISA: the name of an instruction set that this machine supports.
func ParseISA(name string) (ISA, error) {
	var known []string
	for _, isa := range SupportedISAs() {
		if isa.String() == name {
			return isa, nil
		}
		known = append(known, isa.String())
	}
	return Baseline, fmt.Errorf("instruction set %q: this machine has %s", name, strings.Join(known, ", "))
}

// Shape is the geometry of a call, as kernels.Shape and nct_shape.
type Shape struct {
	N, H, W, C, K, R, S, Stride, Pad int64
}

// Call is one call of a kernel, laid out as nct_call. Operands and workspace are addresses of C memory (from [Map]).
type Call struct {
	Shape     Shape
	Operand   [MaxOperands]uintptr // 0 where an optional operand is absent
	Scalar    [MaxScalars]float64
	Workspace uintptr // Requirements.Workspace bytes, 64-byte aligned
	Flags     uint32
	_         uint32
}

// Requirements are what a call needs beside its operands, functions of its shape alone.
type Requirements struct {
	Workspace int64 // bytes shared by all threads during the call
	Scratch   int64 // bytes for each thread: [Pool.Reserve]
	Packed    int64 // bytes of the packed weight operand, 0 where the kernel reads KRSC
}

// The Go structs are passed to C as they are: these do not compile unless the layouts agree.
var (
	_ = [1]struct{}{}[unsafe.Sizeof(Call{})-C.sizeof_nct_call]
	_ = [1]struct{}{}[unsafe.Offsetof(Call{}.Operand)-unsafe.Offsetof(C.nct_call{}.operand)]
	_ = [1]struct{}{}[unsafe.Offsetof(Call{}.Scalar)-unsafe.Offsetof(C.nct_call{}.scalar)]
	_ = [1]struct{}{}[unsafe.Offsetof(Call{}.Workspace)-unsafe.Offsetof(C.nct_call{}.workspace)]
	_ = [1]struct{}{}[unsafe.Offsetof(Call{}.Flags)-unsafe.Offsetof(C.nct_call{}.flags)]
	_ = [1]struct{}{}[unsafe.Sizeof(Shape{})-C.sizeof_nct_shape]
	_ = [1]struct{}{}[unsafe.Sizeof(Requirements{})-C.sizeof_nct_requirements]
)

// Kernel is one kernel at one instruction set and precision. The zero value is none.
type Kernel struct{ c *C.nct_kernel }

// Find looks a kernel up by name; bits is 32 or 64.
func Find(name string, isa ISA, bits int) (Kernel, bool) {
	cName := C.CString(name)
	defer C.free(unsafe.Pointer(cName))
	k := C.nct_find_kernel(cName, C.int(isa), C.int(bits))
	return Kernel{k}, k != nil
}

// Names lists the kernels of an instruction set and precision in the table's order.
func Names(isa ISA, bits int) []string {
	var names []string
	for i := 0; ; i++ {
		k := C.nct_kernel_at(C.int(isa), C.int(bits), C.int(i))
		if k == nil {
			return names
		}
		names = append(names, C.GoString(k.name))
	}
}

// Name is the kernel's name, "conv_fprop_direct".
func (k Kernel) Name() string { return C.GoString(k.c.name) }

// Requirements says what a call of shape s needs.
func (k Kernel) Requirements(s Shape) Requirements {
	var r Requirements
	C.nct_kernel_requirements(k.c, (*C.nct_shape)(unsafe.Pointer(&s)), (*C.nct_requirements)(unsafe.Pointer(&r)))
	return r
}

// Pool is the threads that kernels run on; the calling thread is one of them. It runs one call at a time: callers take turns themselves.
type Pool struct{ c *C.nct_pool }

// NewPool starts threads-1 threads (1 to 1024).
func NewPool(threads int) (*Pool, error) {
	c := C.nct_pool_create(C.int(threads))
	if c == nil {
		return nil, fmt.Errorf("cpu: a pool of %d threads: the system gives no more threads or memory, or it is not 1 to 1024: use fewer threads", threads)
	}
	return &Pool{c}, nil
}

// Close ends the threads.
func (p *Pool) Close() {
	C.nct_pool_destroy(p.c)
	p.c = nil
}

// Threads is the number of threads, the caller's included.
func (p *Pool) Threads() int { return int(C.nct_pool_threads(p.c)) }

// Reserve makes every thread's scratch at least so many bytes. Not during a call.
func (p *Pool) Reserve(scratch int64) error {
	if C.nct_pool_reserve(p.c, C.int64_t(scratch)) != 0 {
		return fmt.Errorf("cpu: %d threads' scratch of %d bytes each: out of memory", p.Threads(), scratch)
	}
	return nil
}

// AssumeCache makes the pool's kernels take the second-level cache of a processor for so many bytes, instead of what the system says (0: unknown). It may change
// their speed and never their results.
func (p *Pool) AssumeCache(bytes int64) { C.nct_pool_assume_cache(p.c, C.int64_t(bytes)) }

// Run calls a kernel and returns when it is done.
func Run(k Kernel, call *Call, p *Pool) {
	C.nct_call_run(k.c, (*C.nct_call)(unsafe.Pointer(call)), p.c)
}

var errNoMemory = errors.New("cpu: a recording: out of memory")

// Recording is calls kept in order, to be replayed.
type Recording struct {
	c *C.nct_recording
	n int
}

// NewRecording is an empty recording.
func NewRecording() (*Recording, error) {
	c := C.nct_recording_create()
	if c == nil {
		return nil, errNoMemory
	}
	return &Recording{c: c}, nil
}

// Close frees it.
func (r *Recording) Close() {
	C.nct_recording_destroy(r.c)
	r.c = nil
}

// Add appends a copy of call.
func (r *Recording) Add(k Kernel, call *Call) error {
	if C.nct_recording_add(r.c, k.c, (*C.nct_call)(unsafe.Pointer(call))) != 0 {
		return errNoMemory
	}
	r.n++
	return nil
}

// Len is the number of calls.
func (r *Recording) Len() int { return r.n }

// Replay runs all calls in order. Neither Go nor C++ allocates.
func (r *Recording) Replay(p *Pool) { C.nct_recording_replay(r.c, p.c) }

// Profile is Replay, and writes how many nanoseconds each call took; it needs room for [Recording.Len] of them.
func (r *Recording) Profile(p *Pool, nanoseconds []int64) {
	if len(nanoseconds) < r.n {
		panic("cpu: Profile: room for fewer calls than the recording has")
	}
	if r.n == 0 {
		return
	}
	C.nct_recording_profile(r.c, p.c, (*C.int64_t)(unsafe.SliceData(nanoseconds)))
}

// Map gives zeroed memory that the garbage collector does not see, aligned to 2 MiB and on huge pages where the system has them.
func Map(bytes int64) (uintptr, error) {
	p := uintptr(C.nct_map_address(C.int64_t(bytes)))
	if p == 0 {
		return 0, fmt.Errorf("cpu: %d bytes of memory: the system has not so much", bytes)
	}
	return p, nil
}

// Unmap gives back what [Map] gave; bytes as there.
func Unmap(p uintptr, bytes int64) { C.nct_unmap_address(C.uintptr_t(p), C.int64_t(bytes)) }

// Allocations is how often the C++ library allocated since it was loaded; a replay does not change it.
func Allocations() int64 { return int64(C.nct_allocations()) }
