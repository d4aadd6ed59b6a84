// The running block: a fiber a thread, and the places where fibers wait for each other.
#include <string.h>
#include <sys/mman.h>

#include <algorithm>
#include <numeric>

#include "emu.h"
#include "order.h"

namespace emu {

Block* block;
Region shared;
static void* scheduler_stack_pointer;
static bool leaving;
static uint32_t last_segment = segment_first;
static char* stacks;
static size_t stack_count;
static Kernel kernel;
static void** arguments;

// emu_switch stores the caller's registers and stack pointer in *from and goes on where `to` was stored (System V x86-64: rbx, rbp, r12-r15).
extern "C" void emu_switch(void** from, void* to);
asm(R"(.globl emu_switch
.type emu_switch,@function
emu_switch:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp,(%rdi)
  mov %rsi,%rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
)");

std::string describe(Dim3 d) { return std::to_string(d.x) + "x" + std::to_string(d.y) + "x" + std::to_string(d.z); }

std::string where(const Thread& t) { return "(" + std::to_string(t.at.x) + "," + std::to_string(t.at.y) + "," + std::to_string(t.at.z) + ")"; }

static void to_scheduler() { emu_switch(&block->running->stack_pointer, scheduler_stack_pointer); }

void give_way(State state, const void* pc, unsigned mask) {
  Thread& t = *block->running;
  t.state = state;
  t.waits_at = pc;
  t.waits_mask = mask;
  to_scheduler();
}

void leave_launch() {
  leaving = true;
  to_scheduler();
  __builtin_unreachable();
}

static void fiber_main() {
  kernel(arguments);
  Thread& t = *block->running;
  t.state = State::done;
  block->done++;
  to_scheduler();
  __builtin_unreachable();
}

static Dim3 coordinates(size_t i, Dim3 size) {
  return {static_cast<unsigned>(i % size.x), static_cast<unsigned>(i / size.x % size.y), static_cast<unsigned>(i / size.x / size.y)};
}

// reset makes the block ready for its place in the grid: fresh fibers, and shared memory that nobody wrote.
static void reset(Block& b, Dim3 at) {
  b.at = at;
  b.at_barrier = b.done = 0;
  b.block_first = b.segment = ++last_segment;
  b.shared_used = 0;
  b.arrays.clear();
  const size_t count = b.size.count();
  b.threads.assign(count, Thread{});
  for (Warp& w : b.warps)
    for (Meeting* m : w.meetings) delete m;
  b.warps.assign((count + 31) / 32, Warp{});
  for (size_t i = 0; i < count; i++) {
    Thread& t = b.threads[i];
    t.index = static_cast<unsigned>(i);
    t.at = coordinates(i, b.size);
    t.stack = reinterpret_cast<uintptr_t>(stacks + i * stack_bytes);
    void** top = reinterpret_cast<void**>(t.stack + stack_bytes);
    *--top = nullptr;
    *--top = reinterpret_cast<void*>(&fiber_main);
    t.stack_pointer = top - 6;
  }
  memset(static_cast<void*>(shared.cells), 0, b.shared_marked * sizeof(Cell));
  for (size_t i = 0; i < b.dynamic_bytes; i++) shared.cells[i].write.segment = segment_unwritten;
  b.shared_marked = b.dynamic_bytes;
}

static std::string list(const std::vector<const Thread*>& threads) {
  std::string text;
  for (size_t i = 0; i < threads.size() && i < 8; i++) text += (i ? " " : "") + where(*threads[i]);
  return threads.size() > 8 ? text + " and " + std::to_string(threads.size() - 8) + " more" : text;
}

// deadlock names who waits, and who will never come.
static void deadlock() {
  std::vector<const Thread*> waiting, warp, ended;
  for (const Thread& t : block->threads) (t.state == State::done ? ended : t.state == State::at_barrier ? waiting : warp).push_back(&t);
  std::string text = "deadlock: ";
  if (!waiting.empty()) text += "threads " + list(waiting) + " wait at the barrier at " + source_line(waiting[0]->waits_at) + "; ";
  if (!warp.empty()) text += "threads " + list(warp) + " wait for lanes of their warp at " + source_line(warp[0]->waits_at) + "; ";
  text += ended.empty() ? "nobody has ended" : "threads " + list(ended) + " have ended without it";
  fault.error = launch_timeout;
  fault.text = text + ", kernel " + block->kernel + " block " + "(" + std::to_string(block->at.x) + "," + std::to_string(block->at.y) + "," +
               std::to_string(block->at.z) + ") of " + describe(block->grid);
}

// run_block runs every fiber until it waits, again and again in the chosen order, until all have ended.
static void run_block(Block& b) {
  std::vector<unsigned> turn(b.threads.size());
  std::iota(turn.begin(), turn.end(), 0u);
  while (b.done < b.threads.size()) {
    arrange(turn);
    bool moved = false;
    for (unsigned i : turn) {
      Thread& t = b.threads[i];
      if (t.state != State::ready) continue;
      moved = true;
      b.running = &t;
      emu_switch(&scheduler_stack_pointer, t.stack_pointer);
      b.running = nullptr;
      if (leaving) return;
    }
    if (!moved) return deadlock();
  }
}

Error launch(const std::string& name, Kernel call, Dim3 grid, Dim3 size, size_t dynamic_bytes, size_t shared_allowed, void** slots) {
  if (fault.error) return fault.error;
  if (!grid.count() || !size.count() || size.count() > 1024 || size.z > 64 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
    return invalid_value;
  if (!shared.base) shared = map_region(shared_limit + (64 << 10), "shared memory");
  if (stack_count < size.count()) {
    if (stacks) munmap(stacks, stack_count * stack_bytes);
    void* const at = mmap(nullptr, size.count() * stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return stacks = nullptr, stack_count = 0, out_of_memory;
    stacks = static_cast<char*>(at);
    stack_count = size.count();
  }
  static size_t marked_by_the_last_launch;
  Block b;
  b.shared_marked = marked_by_the_last_launch;
  b.grid = grid;
  b.size = size;
  b.kernel = name;
  b.dynamic_bytes = dynamic_bytes;
  b.shared_allowed = shared_allowed;
  b.launch_first = last_segment + 1;
  block = &b;
  kernel = call;
  arguments = slots;
  leaving = false;
  std::vector<unsigned> turn(grid.count());
  std::iota(turn.begin(), turn.end(), 0u);
  arrange(turn);
  for (size_t i = 0; i < turn.size() && !fault.error; i++) {
    reset(b, coordinates(turn[i], grid));
    run_block(b);
    if (counting) count_block();
    last_segment = std::max(last_segment, b.segment);
  }
  for (Warp& w : b.warps)
    for (Meeting* m : w.meetings) delete m;
  marked_by_the_last_launch = b.shared_marked;
  block = nullptr;
  return fault.error;
}

}  // namespace emu
