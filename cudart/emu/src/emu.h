// The emulated driver inside: memory and what is known of each byte, the fibers of the running block, and faults.
//
// One launch runs at a time, its blocks one after another on the calling thread: races between threads and between blocks are found by rule, from what is
// remembered of each byte, and so need no true concurrency to show.
#ifndef EMU_H
#define EMU_H
#include <stddef.h>
#include <stdint.h>

#include <string>
#include <vector>

namespace emu {

enum class Kind { read, write, atomic };

// CUDA's error numbers, as far as they are used here.
enum Error {
  success = 0,
  invalid_value = 1,
  out_of_memory = 2,
  no_device = 100,
  invalid_device = 101,
  invalid_image = 200,
  invalid_context = 201,
  ecc_uncorrectable = 214,
  invalid_handle = 400,
  illegal_state = 401,
  not_found = 500,
  not_ready = 600,
  illegal_address = 700,
  launch_out_of_resources = 701,
  launch_timeout = 702,
  misaligned_address = 716,
  launch_failed = 719,
  not_supported = 801,
  stream_capture_unsupported = 900,
  stream_capture_invalidated = 901,
};

// ---- faults (report.cpp)

// What went wrong first. It stays until the process ends, as a faulted context does.
struct Fault {
  Error error = success;
  std::string text;
};
extern Fault fault;
// Why a call was refused that did not touch the device, for cuGetErrorString.
extern Fault refusal;

// source_line of an address in a kernel's code: "relu.cu:17", or its address where there is no line.
std::string source_line(const void* pc);
// same_place tells whether two addresses in kernels' code stand for one place of the source: a compiler may have made several of it.
bool same_place(const void* a, const void* b);
void forget_places();  // code was unloaded
// raise notes a fault of the running thread, leaves the launch and does not return to the kernel.
[[noreturn]] void raise(Error error, const std::string& what, const void* pc);

// ---- memory (memory.cpp)

// Who touched a byte last, and when. A segment is the time between two barriers of one block of one launch: they are numbered on, and blocks run one after
// another, so that a record's segment tells whether it is of this launch, of this block, and before its last barrier.
struct Record {
  uint32_t segment = 0;
  uint16_t thread : 10 = 0;
  uint16_t several_lanes : 1 = 0;   // other threads of the same warp did the same since its last barrier
  uint16_t several_warps : 1 = 0;   // other warps did the same in this segment
  uint16_t several_blocks : 1 = 0;  // other blocks did the same in this launch
  uint16_t atomic : 1 = 0;
  uint16_t warp_epoch = 0;  // the warp's own barriers in this segment
};
struct Cell {
  Record write, read;
};
// A write record's segment where no kernel wrote: no memory, memory that nobody wrote, memory that the host wrote.
enum : uint32_t { segment_absent = 0, segment_unwritten = 1, segment_host = 2, segment_first = 3 };

// A range of addresses that kernels may reach, with a Cell for each byte.
struct Region {
  uintptr_t base = 0;
  size_t bytes = 0;
  Cell* cells = nullptr;
  std::string name;
};

// map_region makes zero pages for `bytes` and their cells (absent until marked); null base where the system has none.
Region map_region(size_t bytes, const char* name);
void unmap_region(const Region&);

extern size_t device_memory, device_memory_used;  // bytes
// device_allocate's memory is absent until it is marked, which cudart's arena does with what it hands out. 0: no room.
uintptr_t device_allocate(size_t bytes);
bool device_free(uintptr_t);
Region* device_region(uintptr_t address);  // that holds the address, or null

// mark sets what is known of a range: segment_absent, segment_unwritten or segment_host.
bool mark(uintptr_t address, size_t bytes, uint32_t segment);
// host_range says whether a copy may touch the range.
bool host_range(uintptr_t address, size_t bytes);
// written marks what of the range nobody has written as written by the host.
void written(uintptr_t address, size_t bytes);

// watching is off where NCTRAIN_EMU_WATCH=0 asks for speed: kernels then run unchecked.
extern bool watching;
// check is the rule book: bounds, alignment, unwritten bytes and races of one access of the running thread.
void check(uintptr_t address, size_t bytes, Kind kind, size_t align, const void* pc);
// expect_copy marks the target of an asynchronous copy: nobody may read it until it lands.
void expect_copy(uintptr_t address, size_t bytes, const void* pc);

// ---- counters (counters.cpp)

struct Counters {
  unsigned long long load_requests = 0, load_sectors = 0;    // of device memory, in sectors of 32 bytes
  unsigned long long store_requests = 0, store_sectors = 0;  // atomics among them
  unsigned long long shared_requests = 0, shared_wavefronts = 0, bank_conflicts = 0;
};
extern bool counting;
// count_no_access: the lane has no part in this execution.
void count_no_access(bool is_shared, const void* pc);
void count_access(uintptr_t address, size_t bytes, Kind kind, bool is_shared, const void* pc);
void count_block();  // its requests are complete

// ---- the running block (block.cpp)

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
  size_t count() const { return size_t{x} * y * z; }
};

struct AsyncCopy {
  char* shared;
  const char* global;
  size_t source_bytes;
  const void* pc;
};

enum class State { ready, at_barrier, at_warp_barrier, done };

struct Thread {
  unsigned index = 0;  // in its block
  Dim3 at;
  State state = State::ready;
  const void* waits_at = nullptr;
  unsigned waits_mask = 0;
  void* stack_pointer = nullptr;
  uintptr_t stack = 0;                         // its lowest address
  std::vector<std::vector<AsyncCopy>> copies;  // committed groups, the oldest first
  std::vector<AsyncCopy> open_copies;          // since the last commit
};

// Lanes of a warp that meet: for each mask its own place, two tables because a fast lane may be one meeting ahead.
struct Meeting {
  unsigned mask = 0, arrived = 0;
  const void* at = nullptr;  // where the first of them arrived
  unsigned generation = 0;
  alignas(16) char table[2][32][64];
};
struct Warp {
  uint16_t epoch = 0;
  std::vector<Meeting*> meetings;
};

struct SharedArray {
  const void* key;
  uintptr_t base;
  size_t bytes;
};

struct Block {
  Dim3 grid, size, at;
  std::string kernel;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  unsigned at_barrier = 0, done = 0;
  const void* barrier = nullptr;  // where the first of those waits
  Thread* running = nullptr;
  uint32_t launch_first = 0, block_first = 0, segment = 0;
  size_t dynamic_bytes = 0, shared_used = 0, shared_allowed = 0;
  size_t shared_marked = 0;  // bytes of shared memory of which something is known
  std::vector<SharedArray> arrays;
};
extern Block* block;   // null outside a launch
extern Region shared;  // of the running block

constexpr size_t stack_bytes = 128 << 10;
constexpr size_t shared_limit = 227 << 10;  // of a block, the most that any compute capability has
constexpr size_t static_limit = 48 << 10;   // without asking

// give_way stops the running thread until its state is ready again.
void give_way(State state, const void* pc, unsigned mask = 0);
// leave_launch gives up the running launch after a fault.
[[noreturn]] void leave_launch();

using Kernel = void (*)(void** slots);
// launch runs all blocks; shared_allowed are the bytes that shared arrays and dynamic shared memory may take together.
Error launch(const std::string& kernel, Kernel call, Dim3 grid, Dim3 size, size_t dynamic_bytes, size_t shared_allowed, void** slots);

std::string describe(Dim3);
std::string where(const Thread&);

}  // namespace emu
#endif
