// The entry points: what cudart calls of the CUDA driver, and a few of our own. What is not here the late-bound driver answers with CUDA_ERROR_NOT_SUPPORTED.
//
// Work is done when it is queued, so a stream has nothing left to do but to land its copies (copies.h); what a capture would refuse is refused here too, and
// what wants a context on a thread that has none. One thread drives the device.
// $NCTRAIN_EMU_MEMORY: bytes of device memory (1 GiB).   $NCTRAIN_EMU_FAIL: from the n-th queued work on, the device is lost (an uncorrectable ECC error).
// $NCTRAIN_EMU_SM: compute capability (90).   $NCTRAIN_EMU_CUDA: the CUDA version that the driver says it knows, 12040 for 12.4 (newer than any program's).
// $NCTRAIN_EMU_WATCH=0: no access is checked, for whole trainings with kernels that have been; some ten times as fast.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "copies.h"
#include "module.h"
#include "order.h"
#include "work.h"

using namespace emu;

using Pointer = unsigned long long;

// setting is a number of the environment, or what holds without it.
static unsigned long long setting(const char* name, unsigned long long otherwise) {
  const char* const text = getenv(name);
  return text && *text ? strtoull(text, nullptr, 10) : otherwise;
}

template <typename T>
static T& as(void* handle) {
  return *static_cast<T*>(handle);
}

static unsigned long long compute_capability() { return setting("NCTRAIN_EMU_SM", 90); }  // 90 is 9.0
// How much shared memory a block may ask for, by compute capability (CUDA C++ Programming Guide, "Compute Capabilities").
static size_t opt_in_limit() {
  const auto sm = compute_capability();
  if (sm < 80) return 64 << 10;
  if (sm == 80 || sm == 87) return 163 << 10;
  return (sm < 90 || sm >= 120 ? size_t{99} : size_t{227}) << 10;
}

static Error copy_in(Pointer to, const void* from, size_t bytes) {
  if (!host_range(to, bytes)) return invalid_value;
  memcpy(reinterpret_cast<void*>(to), from, bytes);
  mark(to, bytes, segment_host);
  return success;
}
static Error copy_out(void* to, Pointer from, size_t bytes) {
  if (!host_range(from, bytes)) return invalid_value;
  memcpy(to, reinterpret_cast<const void*>(from), bytes);
  return success;
}
static Error on_its_way() {
  fault = {launch_failed, "a stream copies what an upload brings that has not been waited for"};
  return fault.error;
}
static Error copy_over(Pointer to, Pointer from, size_t bytes) {
  if (!host_range(to, bytes) || !host_range(from, bytes)) return invalid_value;
  if (!has_arrived(from, bytes)) return on_its_way();
  memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
  mark(to, bytes, segment_host);
  return success;
}
static Error fill(Pointer to, unsigned char value, size_t bytes) {
  if (!host_range(to, bytes)) return invalid_value;
  memset(reinterpret_cast<void*>(to), value, bytes);
  mark(to, bytes, segment_host);
  return success;
}

extern "C" {

int cuInit(unsigned) {
  device_memory = setting("NCTRAIN_EMU_MEMORY", size_t{1} << 30);
  watching = setting("NCTRAIN_EMU_WATCH", 1) != 0;
  if (read_order() && read_failure() && read_copies()) return success;
  refusal = {invalid_value, "NCTRAIN_EMU_ORDER is round, reverse or random:SEED; NCTRAIN_EMU_FAIL is a number; NCTRAIN_EMU_COPIES is late or early"};
  return refusal.error;
}
int cuDriverGetVersion(int* version) { return *version = static_cast<int>(setting("NCTRAIN_EMU_CUDA", 99000)), success; }
int cuDeviceGetCount(int* count) { return *count = 1, success; }
int cuDeviceGet(int* device, int ordinal) { return *device = 0, ordinal == 0 ? success : invalid_device; }
int cuDeviceGetName(char* name, int bytes, int) { return snprintf(name, static_cast<size_t>(bytes), "emulated GPU"), success; }
int cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = device_memory, success; }

// The attributes that cudart asks for, of an H100 where they do not follow from the emulation.
int cuDeviceGetAttribute(int* value, int attribute, int) {
  switch (attribute) {
    case 1: return *value = 1024, success;                                          // MAX_THREADS_PER_BLOCK
    case 8: return *value = static_cast<int>(static_limit), success;                // MAX_SHARED_MEMORY_PER_BLOCK
    case 10: return *value = 32, success;                                           // WARP_SIZE
    case 16: return *value = 132, success;                                          // MULTIPROCESSOR_COUNT
    case 75: return *value = static_cast<int>(compute_capability() / 10), success;  // COMPUTE_CAPABILITY_MAJOR
    case 76: return *value = static_cast<int>(compute_capability() % 10), success;  // COMPUTE_CAPABILITY_MINOR
    case 97: return *value = static_cast<int>(opt_in_limit()), success;             // MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
  }
  return not_supported;
}
int cuGetErrorName(int error, const char** text) { return *text = error == success ? "CUDA_SUCCESS" : "CUDA_ERROR", success; }
int cuGetErrorString(int error, const char** text) {
  if (error == success) return *text = "no error", success;
  const Fault& known = error == fault.error ? fault : refusal;
  return *text = error == known.error ? known.text.c_str() : "refused by the emulated driver", success;
}

int cuCtxCreate_v2(void** context, unsigned, int) { return *context = current_context = &device_memory, success; }
int cuCtxDestroy_v2(void*) { return land_all(), current_context = nullptr, success; }
int cuCtxSetCurrent(void* context) { return current_context = context, success; }
int cuCtxSynchronize(void) {
  return in_context([] { return capture_refuses() ? stream_capture_unsupported : land_all(); });
}

int cuMemAlloc_v2(Pointer* address, size_t bytes) {
  return in_context([=] {
    if (capture_refuses()) return stream_capture_unsupported;
    if (bytes == 0) return invalid_value;
    *address = device_allocate(bytes);
    return *address ? success : out_of_memory;
  });
}
int cuMemFree_v2(Pointer address) {
  return in_context([=] { return device_free(address) ? success : invalid_value; });
}
int cuMemGetInfo_v2(size_t* free, size_t* total) {
  return in_context([=] { return *free = device_memory - device_memory_used, *total = device_memory, success; });
}
int cuMemHostAlloc(void** address, size_t bytes, unsigned) {
  return in_context([=] {
    if (capture_refuses()) return stream_capture_unsupported;
    return *address = host_allocate(bytes), *address ? success : out_of_memory;
  });
}
int cuMemFreeHost(void* address) {
  return in_context([=] { return host_free(address); });
}

// Copies that wait are refused while a stream is captured, as the driver does for capture modes other than relaxed. They are of the default stream.
int cuMemcpyHtoD_v2(Pointer to, const void* from, size_t bytes) {
  return at_once([=] {
    const Error e = copy_in(to, from, bytes);
    if (!e) arrive_later(to, from, bytes);
    return e;
  });
}
int cuMemcpyDtoH_v2(void* to, Pointer from, size_t bytes) {
  return at_once([=] {
    arrive();
    return copy_out(to, from, bytes);
  });
}
int cuMemcpyHtoDAsync_v2(Pointer to, const void* from, size_t bytes, void* s) {
  return queue(s, [=] {
    if (const Error e = copy_in(to, from, bytes)) return e;
    return upload_later(s, from, bytes), success;
  });
}
int cuMemcpyDtoHAsync_v2(void* to, Pointer from, size_t bytes, void* s) {
  return queue(s, [=] {
    if (!host_range(from, bytes)) return invalid_value;
    if (!has_arrived(from, bytes)) return on_its_way();
    return download_later(s, to, reinterpret_cast<const void*>(from), bytes), success;
  });
}
int cuMemcpyDtoDAsync_v2(Pointer to, Pointer from, size_t bytes, void* s) {
  return queue(s, [=] { return copy_over(to, from, bytes); });
}
int cuMemsetD8Async(Pointer to, unsigned char value, size_t bytes, void* s) {
  return queue(s, [=] { return fill(to, value, bytes); });
}

int cuStreamCreate(void** s, unsigned flags) {
  return in_context([=] { return *s = new Stream(flags), success; });
}
int cuStreamDestroy_v2(void* s) { return delete static_cast<Stream*>(s), success; }
int cuStreamSynchronize(void* s) { return capturing(s) && capture_refuses() ? stream_capture_unsupported : land(s); }
int cuStreamQuery(void* s) { return cuStreamSynchronize(s); }
int cuStreamWaitEvent(void*, void*, unsigned) { return fault.error; }

int cuEventCreate(void** e, unsigned) {
  return in_context([=] { return *e = new Event, success; });
}
int cuEventDestroy_v2(void* e) { return delete static_cast<Event*>(e), success; }
int cuEventRecord(void* e, void* s) {
  return queue(s, [=] { return reach(as<Event>(e), s), success; });
}
int cuEventSynchronize(void* e) { return land(as<Event>(e)); }
int cuEventQuery(void* e) { return fault.error || query(as<Event>(e)) ? land(as<Event>(e)) : not_ready; }
int cuEventElapsedTime_v2(float* ms, void* from, void* to) {
  if (as<Event>(from).seconds < 0 || as<Event>(to).seconds < 0) return invalid_handle;
  return *ms = static_cast<float>(1e3 * (as<Event>(to).seconds - as<Event>(from).seconds)), success;
}
int cuEventElapsedTime(float* ms, void* from, void* to) { return cuEventElapsedTime_v2(ms, from, to); }

int cuModuleLoadData(void** module, const void* image) {
  return in_context([=] { return load_module(image, reinterpret_cast<Module**>(module)); });
}
int cuModuleUnload(void* module) { return unload_module(static_cast<Module*>(module)); }
int cuModuleGetFunction(void** function, void* module, const char* name) {
  return find_function(static_cast<Module*>(module), name, reinterpret_cast<Function**>(function));
}
int cuFuncSetAttribute(void* function, int attribute, int value) {
  if (attribute != 8) return not_supported;  // MAX_DYNAMIC_SHARED_SIZE_BYTES
  if (value < 0 || static_cast<size_t>(value) > opt_in_limit()) return invalid_value;
  Function& f = as<Function>(function);
  return f.dynamic_limit = static_cast<size_t>(value), f.asked = true, success;
}
int cuFuncGetParamInfo(void* function, size_t i, size_t* offset, size_t* bytes) {
  const auto& sizes = as<Function>(function).parameters;
  if (i >= sizes.size()) return invalid_value;
  size_t at = 0;
  for (size_t k = 0; k <= i; k++) at = (at + sizes[k] - 1) / sizes[k] * sizes[k] + (k < i ? sizes[k] : 0);  // a parameter aligns to its size
  return *offset = at, *bytes = sizes[i], success;
}
int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared_bytes, void* s,
                   void** slots, void**) {
  const Function& f = as<Function>(function);
  if (shared_bytes > f.dynamic_limit) return invalid_value;
  return queue(s, [&f, arguments = Arguments(f.parameters, slots), grid = Dim3{gx, gy, gz}, size = Dim3{bx, by, bz}, shared_bytes]() mutable {
    return launch(f.name, f.call, grid, size, shared_bytes, f.asked ? opt_in_limit() : static_limit, arguments.slots());
  });
}

int cuStreamBeginCapture_v2(void* s, int) { return begin_capture(static_cast<Stream*>(s)); }
int cuStreamEndCapture(void* s, void** graph) { return end_capture(static_cast<Stream*>(s), reinterpret_cast<Graph**>(graph)); }
int cuGraphGetNodes(void* graph, void** nodes, size_t* count) { return nodes ? not_supported : (*count = as<Graph>(graph).size(), success); }
int cuGraphInstantiateWithFlags(void** exec, void* graph, unsigned long long) { return *exec = new Graph(as<Graph>(graph)), success; }
int cuGraphDestroy(void* graph) { return delete static_cast<Graph*>(graph), success; }
int cuGraphExecDestroy(void* exec) { return delete static_cast<Graph*>(exec), success; }
int cuGraphLaunch(void* exec, void* s) {
  return queue(s, [&graph = as<Graph>(exec)] {
    for (const Work& work : graph)
      if (const Error e = work()) return e;
    return success;
  });
}

// Ours. emu_mark: what an arena hands out (1) or takes back (0) of its memory, so that bounds are a buffer's and not the arena's.
int emu_mark(Pointer address, size_t bytes, int live) {
  return mark(address, bytes, live ? segment_unwritten : segment_absent) ? success : invalid_value;
}
// emu_report: the fault with kernel, block, thread and source line, or empty.
const char* emu_report(void) { return fault.text.c_str(); }
// emu_reset: forget the fault, for tests that look for several.
void emu_reset(void) { fault = {}; }
}
