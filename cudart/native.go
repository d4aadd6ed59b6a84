//go:build cuda

package cudart

// What gorgonia.org/cu lacks: launches whose arguments have their own sizes, graph capture and replay, pinned memory, more than 48 KB of shared memory.

/*
#include <cuda.h>

typedef unsigned long long slot;

// Every argument has at most 8 bytes and starts its slot, which on a little-endian machine is a value of any smaller size too.
static CUresult launch(CUfunction f, const unsigned* grid, const unsigned* block, unsigned shared_bytes, CUstream stream, slot* slots, int count) {
	void* at[64];
	for (int i = 0; i < count; i++) at[i] = slots + i;
	return cuLaunchKernel(f, grid[0], grid[1], grid[2], block[0], block[1], block[2], shared_bytes, stream, at, 0);
}

// cuFuncGetParamInfo came with CUDA 12.4, so it is looked up where the headers may not have it. 0: there is no such parameter.
typedef CUresult (*parameter_function)(CUfunction, size_t, size_t*, size_t*);
static size_t parameter_bytes(void* info, CUfunction f, size_t i) {
	size_t offset, bytes;
	return ((parameter_function)info)(f, i, &offset, &bytes) == CUDA_SUCCESS ? bytes : 0;
}

static const char* error_text(CUresult r) {
	const char* text = 0;
	cuGetErrorString(r, &text);
	return text ? text : "unknown error";
}

typedef int (*mark_function)(CUdeviceptr, size_t, int);
static int call_mark(void* f, CUdeviceptr at, size_t bytes, int live) { return ((mark_function)f)(at, bytes, live); }
typedef const char* (*report_function)(void);
static const char* call_report(void* f) { return ((report_function)f)(); }
typedef void (*count_function)(int);
static void call_count(void* f, int on) { ((count_function)f)(on); }
typedef void (*counters_function)(unsigned long long*);
static void call_counters(void* f, unsigned long long* out) { ((counters_function)f)(out); }
typedef void (*reset_function)(void);
static void call_reset(void* f) { ((reset_function)f)(); }
*/
import "C"

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"gorgonia.org/cu"

	"nctrain/cudart/driver"
)

const (
	maxParameters = 64
	// compiledCUDA is the version of the headers that this program, and so its kernels, were compiled with: 13050 for 13.5.
	compiledCUDA = int(C.CUDA_VERSION)
	sharedOptIn  = cu.DeviceAttribute(C.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)
)

// Status is an error number of the CUDA driver.
type Status int

const (
	// OutOfMemory is the status of an allocation for which there is no room.
	OutOfMemory = Status(C.CUDA_ERROR_OUT_OF_MEMORY)
	// notReady is what asking for an event answers that is not reached.
	notReady = Status(C.CUDA_ERROR_NOT_READY)
)

func (s Status) Error() string {
	return fmt.Sprintf("%s (CUDA error %d)", C.GoString(C.error_text(C.CUresult(s))), int(s))
}

func status(r C.CUresult) error {
	if r == C.CUDA_SUCCESS {
		return nil
	}
	return Status(r)
}

// describe makes a Status of gorgonia.org/cu's own error, and adds what the driver lacks or, where it is the emulated one, what it found.
func describe(err error) error {
	if err == nil {
		return nil
	}
	if n, ok := statusOf(err); ok {
		err = n
	}
	if missing := driver.Missing(); missing != "" && errors.Is(err, Status(C.CUDA_ERROR_NOT_SUPPORTED)) {
		return fmt.Errorf("%w: %s has no %s: the driver is older than this program", err, driver.Path(), missing)
	}
	return err
}

// statusOf reads the number out of gorgonia.org/cu's error type, which it does not export.
func statusOf(err error) (Status, bool) {
	v := reflect.ValueOf(err)
	if v.Kind() != reflect.Int || v.Type().PkgPath() != "gorgonia.org/cu" {
		return 0, false
	}
	return Status(v.Int()), true
}

// Emulated tells whether the driver is the emulated one.
func Emulated() bool { return driver.Symbol("emu_report") != nil }

// DriverState tells which driver is at work and the version of CUDA that it knows; where none is, problem says why.
func DriverState() (state, problem string) {
	if problem := driver.Problem(); problem != "" {
		return "", problem
	}
	kind := "driver"
	if Emulated() {
		kind = "emulated driver"
	}
	return fmt.Sprintf("%s %s, CUDA %s; the kernels are of CUDA %s", kind, driver.Path(), version(cu.Version()), version(compiledCUDA)), ""
}

// Report is what the emulated driver found wrong (source line, rule, kernel, block, thread), and empty on a real driver or where nothing is.
func Report() string {
	if f := driver.Symbol("emu_report"); f != nil {
		return C.GoString(C.call_report(f))
	}
	return ""
}

// ForgetFault makes the emulated driver usable again after a fault; on a real driver, whose context is lost then, it does nothing.
func ForgetFault() {
	if f := driver.Symbol("emu_reset"); f != nil {
		C.call_reset(f)
	}
}

// mark tells the emulated driver that a part of an arena is handed out or taken back.
func mark(at Address, bytes int, live bool) error {
	f := driver.Symbol("emu_mark")
	if f == nil {
		return nil
	}
	flag := C.int(0)
	if live {
		flag = 1
	}
	return status(C.CUresult(C.call_mark(f, C.CUdeviceptr(at), C.size_t(bytes), flag)))
}

func cFunction(f cu.Function) C.CUfunction { return *(*C.CUfunction)(unsafe.Pointer(&f)) } // a struct of this one field
func cStream(s cu.Stream) C.CUstream       { return C.CUstream(unsafe.Pointer(s.C())) }

func nativeLaunch(f cu.Function, g Geometry, s cu.Stream, slots *[maxParameters]uint64, count int) error {
	grid := [3]C.uint{C.uint(g.Grid[0]), C.uint(g.Grid[1]), C.uint(g.Grid[2])}
	block := [3]C.uint{C.uint(g.Block[0]), C.uint(g.Block[1]), C.uint(g.Block[2])}
	return status(C.launch(cFunction(f), &grid[0], &block[0], C.uint(g.Shared), cStream(s), (*C.slot)(unsafe.Pointer(slots)), C.int(count)))
}

// parameterSizes are the sizes of a kernel's parameters in bytes, or nil where the driver is older than CUDA 12.4 and does not tell.
func parameterSizes(f cu.Function) []int {
	info := driver.Symbol("cuFuncGetParamInfo")
	if info == nil {
		return nil
	}
	sizes := []int{}
	for i := range maxParameters {
		n := int(C.parameter_bytes(info, cFunction(f), C.size_t(i)))
		if n == 0 {
			break
		}
		sizes = append(sizes, n)
	}
	return sizes
}

func allowShared(f cu.Function, bytes int) error {
	return status(C.cuFuncSetAttribute(cFunction(f), C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(bytes)))
}

// The capture is the device thread's own: other threads' calls cannot break it.
func beginCapture(s cu.Stream) error {
	return status(C.cuStreamBeginCapture(cStream(s), C.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL))
}

func endCapture(s cu.Stream) (exec C.CUgraphExec, nodes int, err error) {
	var graph C.CUgraph
	if err := status(C.cuStreamEndCapture(cStream(s), &graph)); err != nil {
		return nil, 0, err
	}
	defer C.cuGraphDestroy(graph)
	var count C.size_t
	if err := status(C.cuGraphGetNodes(graph, nil, &count)); err != nil {
		return nil, 0, err
	}
	err = status(C.cuGraphInstantiateWithFlags(&exec, graph, 0))
	return exec, int(count), err
}

func abandonCapture(s cu.Stream) {
	var graph C.CUgraph
	if C.cuStreamEndCapture(cStream(s), &graph) == C.CUDA_SUCCESS {
		C.cuGraphDestroy(graph)
	}
}

func launchGraph(exec C.CUgraphExec, s cu.Stream) error {
	return status(C.cuGraphLaunch(exec, cStream(s)))
}
func destroyGraph(exec C.CUgraphExec) error { return status(C.cuGraphExecDestroy(exec)) }

type graphExec = C.CUgraphExec

func pinnedAlloc(bytes int) (unsafe.Pointer, error) {
	var p unsafe.Pointer
	err := status(C.cuMemHostAlloc(&p, C.size_t(bytes), C.CU_MEMHOSTALLOC_PORTABLE))
	return p, err
}

func pinnedFree(p unsafe.Pointer) error { return status(C.cuMemFreeHost(p)) }

// Copies of Go memory. gorgonia.org/cu's take an unsafe.Pointer, of which cgo checks the whole object that it points into for Go pointers; of these it checks
// the bytes.
func copyIn(to Address, src []byte) error {
	return status(C.cuMemcpyHtoD(C.CUdeviceptr(to), unsafe.Pointer(&src[0]), C.size_t(len(src))))
}

func copyOut(dst []byte, from Address) error {
	return status(C.cuMemcpyDtoH(unsafe.Pointer(&dst[0]), C.CUdeviceptr(from), C.size_t(len(dst))))
}

// Counters of memory requests, each of one instruction of one warp.
type Counters struct {
	LoadRequests, LoadSectors                       uint64 // of device memory, in sectors of 32 bytes
	StoreRequests, StoreSectors                     uint64
	SharedRequests, SharedWavefronts, BankConflicts uint64 // a conflict is a wavefront that one without conflicts would not need
}

// CountRequests gives what the emulated driver counts while f runs; zeros on a real one, which does not count.
func CountRequests(f func() error) (Counters, error) {
	count, counters := driver.Symbol("emu_count"), driver.Symbol("emu_counters")
	if count == nil || counters == nil {
		return Counters{}, f()
	}
	C.call_count(count, 1)
	err := f()
	C.call_count(count, 0)
	var raw [7]C.ulonglong
	C.call_counters(counters, &raw[0])
	return Counters{uint64(raw[0]), uint64(raw[1]), uint64(raw[2]), uint64(raw[3]), uint64(raw[4]), uint64(raw[5]), uint64(raw[6])}, err
}
