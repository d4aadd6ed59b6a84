// What kernels call by name: indices, barriers, exchanges between lanes, shared memory and asynchronous copies.
#include <string.h>

#include <algorithm>

#include "../include/emu_device.h"
#include "emu.h"
#include "meeting.h"

using namespace emu;

#define PC __builtin_return_address(0)

static uint3 triple(Dim3 d) { return {d.x, d.y, d.z}; }

static void meet(Warp& warp, Meeting& m) {
  const size_t first = static_cast<size_t>(&warp - block->warps.data()) * 32;
  m.arrived = 0;
  m.generation++;
  for (unsigned lane = 0; lane < 32; lane++)
    if (m.mask >> lane & 1) block->threads[first + lane].state = State::ready;
}

// arrive waits until all lanes of mask are here, and returns their meeting; `enter` fills the lane's slot of it. A lane may enter its next meeting before slower
// lanes have read this one, so the table of the generation before stays.
template <typename F>
static Meeting& arrive(unsigned mask, const void* pc, F enter, bool is_barrier, bool orders) {
  Thread& t = *block->running;
  Warp& warp = block->warps[t.index / 32];
  const unsigned lane = t.index % 32;
  if (!(mask >> lane & 1)) raise(launch_failed, "the mask of a warp function leaves out the lane that calls it", pc);
  const size_t lanes = block->threads.size() - t.index / 32 * 32;
  if (lanes < 32 && mask >> lanes) raise(launch_failed, "the mask of a warp function names lanes that the block does not have", pc);
  Meeting* m = nullptr;
  for (Meeting* each : warp.meetings)
    if (each->mask == mask) m = each;
  if (!m) {
    warp.meetings.push_back(m = new Meeting);
    m->mask = mask;
  }
  // A warp barrier may stand at several places; an exchange is one instruction, which lanes that have parted execute one after another.
  if (!m->arrived)
    m->at = pc;
  else if (!is_barrier && !same_place(m->at, pc))
    raise(launch_failed, "lanes of a warp exchange values here and others at " + source_line(m->at) + ": one instruction must be all lanes'", pc);
  enter(m->table[m->generation & 1][lane]);
  m->arrived |= 1u << lane;
  if (m->arrived != mask)
    give_way(State::at_warp_barrier, pc, mask);
  else {
    if (orders) warp.epoch++;
    meet(warp, *m);
  }
  return *m;
}

Table emu::exchange_table(unsigned mask, const void* in, size_t bytes, const void* pc) {
  const Meeting& m = arrive(
      mask, pc, [=](char* slot) { memcpy(slot, in, bytes); }, false, false);
  return m.table[(m.generation - 1) & 1];
}

extern "C" {

uint3 emu_thread_index(void) { return triple(block->running->at); }
uint3 emu_block_index(void) { return triple(block->at); }
uint3 emu_block_size(void) { return triple(block->size); }
uint3 emu_grid_size(void) { return triple(block->grid); }

void emu_barrier(void) {
  Block& b = *block;
  if (!b.at_barrier)
    b.barrier = PC;
  else if (!same_place(b.barrier, PC))
    raise(launch_failed, "a barrier is waited for here and by other threads at " + source_line(b.barrier) + ": one barrier must be all threads'", PC);
  if (++b.at_barrier < b.threads.size()) return give_way(State::at_barrier, PC);
  b.at_barrier = 0;
  b.segment++;
  for (Warp& w : b.warps) w.epoch = 0;
  for (Thread& t : b.threads)
    if (t.state == State::at_barrier) t.state = State::ready;
}

void emu_warp_barrier(unsigned mask) {
  const size_t first = block->running->index / 32 * 32, lanes = block->threads.size() - first;
  arrive(
      mask, PC, [](char*) {}, true, mask == (lanes < 32 ? (1u << lanes) - 1 : 0xffffffffu));
}

void emu_shuffle(unsigned mask, const void* in, void* out, size_t bytes, unsigned source) {
  if (!(mask >> source & 1)) raise(launch_failed, "a shuffle takes from lane " + std::to_string(source) + ", which its mask leaves out", PC);
  memcpy(out, exchange_table(mask, in, bytes, PC)[source], bytes);
}

unsigned emu_ballot(unsigned mask, int predicate) {
  const char vote = predicate != 0;
  const Table votes = exchange_table(mask, &vote, 1, PC);
  unsigned out = 0;
  for (unsigned lane = 0; lane < 32; lane++)
    if (mask >> lane & 1 && votes[lane][0]) out |= 1u << lane;
  return out;
}

void* emu_shared(const void* key, size_t bytes, size_t align) {
  Block& b = *block;
  for (const SharedArray& a : b.arrays)
    if (a.key == key) return reinterpret_cast<void*>(a.base);
  // Arrays stand behind the dynamic memory with a gap between, so that an index past the end of one is no other's element.
  constexpr size_t gap = 128;
  size_t start = (b.arrays.empty() ? b.dynamic_bytes : b.arrays.back().base + b.arrays.back().bytes - shared.base) + gap;
  start = (start + align - 1) / align * align;
  b.shared_used += bytes;
  if (b.shared_used > static_limit || b.shared_used + b.dynamic_bytes > b.shared_allowed || start + bytes > shared.bytes)
    raise(launch_out_of_resources,
          "shared arrays, with " + std::to_string(b.dynamic_bytes) + " bytes of dynamic memory, take more than the block may have (" +
              std::to_string(static_limit) + " bytes without asking)",
          PC);
  for (size_t i = 0; i < bytes; i++) shared.cells[start + i].write.segment = segment_unwritten;
  b.shared_marked = std::max(b.shared_marked, start + bytes);
  b.arrays.push_back({key, shared.base + start, bytes});
  return reinterpret_cast<void*>(shared.base + start);
}

void* emu_dynamic_shared(void) { return reinterpret_cast<void*>(shared.base); }

void emu_access(const void* address, size_t bytes, int kind, size_t align) {
  check(reinterpret_cast<uintptr_t>(address), bytes, static_cast<Kind>(kind), align, PC);
}

void emu_copy_async(void* target, const void* source, size_t source_bytes) {
  if (source_bytes > 16) raise(launch_failed, "an asynchronous copy of more than 16 bytes", PC);
  if (reinterpret_cast<uintptr_t>(target) - shared.base >= shared.bytes)
    raise(illegal_address, "an asynchronous copy to what is not shared memory", PC);
  // The addresses are aligned even where nothing is read.
  if (reinterpret_cast<uintptr_t>(source) % 16) raise(misaligned_address, "an asynchronous copy's source is not aligned to 16", PC);
  if (source_bytes && !device_region(reinterpret_cast<uintptr_t>(source)))
    raise(illegal_address, "an asynchronous copy from what is not device memory", PC);
  if (source_bytes)
    check(reinterpret_cast<uintptr_t>(source), source_bytes, Kind::read, 16, PC);
  else
    count_no_access(false, PC);
  expect_copy(reinterpret_cast<uintptr_t>(target), 16, PC);
  block->running->open_copies.push_back({static_cast<char*>(target), static_cast<const char*>(source), source_bytes, PC});
}

void emu_copy_commit(void) {
  Thread& t = *block->running;
  t.copies.push_back(std::move(t.open_copies));
  t.open_copies.clear();
}

void emu_copy_wait(int groups_left) {
  const bool counted = counting;
  counting = false;  // the copy was counted when it was asked for
  auto& groups = block->running->copies;
  while (static_cast<int>(groups.size()) > groups_left) {
    for (const AsyncCopy& c : groups.front()) {
      check(reinterpret_cast<uintptr_t>(c.shared), 16, Kind::write, 16, c.pc);
      memset(c.shared, 0, 16);
      memcpy(c.shared, c.global, c.source_bytes);
    }
    groups.erase(groups.begin());
  }
  counting = counted;
}
}
