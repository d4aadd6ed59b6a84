// Device and shared memory, and the rules of every access.
#include <string.h>
#include <sys/mman.h>

#include <map>

#include "emu.h"

namespace emu {

size_t device_memory, device_memory_used;
bool watching = true;
static std::map<uintptr_t, Region> regions;
static const Region* last_region;  // of device memory that was touched last

static void* map_pages(size_t bytes) {
  void* const at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return at == MAP_FAILED ? nullptr : at;
}

Region map_region(size_t bytes, const char* name) {
  Region r;
  void* const base = map_pages(bytes);
  void* const cells = map_pages(bytes * sizeof(Cell));
  if (!base || !cells) return r;
  r.base = reinterpret_cast<uintptr_t>(base);
  r.bytes = bytes;
  r.cells = static_cast<Cell*>(cells);
  r.name = name;
  return r;
}

void unmap_region(const Region& r) {
  munmap(reinterpret_cast<void*>(r.base), r.bytes);
  munmap(r.cells, r.bytes * sizeof(Cell));
}

uintptr_t device_allocate(size_t bytes) {
  if (bytes == 0 || bytes > device_memory - device_memory_used) return 0;
  Region r = map_region(bytes, "device memory");
  if (!r.base) return 0;
  device_memory_used += bytes;
  regions[r.base] = r;
  return r.base;
}

bool device_free(uintptr_t address) {
  const auto found = regions.find(address);
  if (found == regions.end()) return false;
  device_memory_used -= found->second.bytes;
  last_region = nullptr;
  unmap_region(found->second);
  regions.erase(found);
  return true;
}

Region* device_region(uintptr_t address) {
  auto after = regions.upper_bound(address);
  if (after == regions.begin()) return nullptr;
  Region& r = std::prev(after)->second;
  return address - r.base < r.bytes ? &r : nullptr;
}

// forget makes cells those of absent memory, which are zero: whole pages go back to the system, so that an arena as large as the card costs nothing.
static void forget(Cell* from, Cell* to) {
  constexpr uintptr_t page = 4096;
  char* const begin = reinterpret_cast<char*>(from);
  char* const end = reinterpret_cast<char*>(to);
  char* const first = reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page);
  char* const last = reinterpret_cast<char*>(reinterpret_cast<uintptr_t>(end) / page * page);
  if (first >= last) {
    memset(begin, 0, static_cast<size_t>(end - begin));
    return;
  }
  memset(begin, 0, static_cast<size_t>(first - begin));
  madvise(first, static_cast<size_t>(last - first), MADV_DONTNEED);
  memset(last, 0, static_cast<size_t>(end - last));
}

bool mark(uintptr_t address, size_t bytes, uint32_t segment) {
  Region* const r = device_region(address);
  if (!r || bytes > r->bytes - (address - r->base)) return false;
  Cell* const cells = r->cells + (address - r->base);
  if (segment == segment_absent) return forget(cells, cells + bytes), true;
  for (size_t i = 0; i < bytes; i++) {
    cells[i] = Cell{};
    cells[i].write.segment = segment;
  }
  return true;
}

bool host_range(uintptr_t address, size_t bytes) {
  const Region* const r = device_region(address);
  if (!r || bytes > r->bytes - (address - r->base)) return false;
  for (size_t i = 0; i < bytes; i++)
    if (r->cells[address - r->base + i].write.segment == segment_absent) return false;
  return true;
}

void written(uintptr_t address, size_t bytes) {
  const Region* const r = device_region(address);
  if (!r || bytes > r->bytes - (address - r->base)) return;
  for (size_t i = 0; i < bytes; i++) {
    uint32_t& segment = r->cells[address - r->base + i].write.segment;
    if (segment == segment_unwritten) segment = segment_host;
  }
}

static unsigned warp_of(unsigned thread) { return thread / 32; }

// conflicts says whether what the record tells of and the running thread's access have no order. Of one launch, two accesses are ordered where they are of
// the same thread, of the same block with a barrier between, or of the same warp with a warp barrier between.
static bool conflicts(const Record& r) {
  const Block& b = *block;
  if (r.segment < segment_first || r.segment < b.launch_first) return false;
  if (r.several_blocks || r.segment < b.block_first) return true;
  if (r.segment < b.segment) return false;
  if (r.several_warps) return true;
  const unsigned me = b.running->index;
  if (warp_of(r.thread) != warp_of(me)) return true;
  if (r.warp_epoch != b.warps[warp_of(me)].epoch) return false;
  return r.several_lanes || r.thread != me;
}

// fresh is the record of the running thread's access where there was none in this launch.
static Record fresh(bool atomic) {
  const Block& b = *block;
  Record r;
  r.segment = b.segment;
  r.thread = static_cast<uint16_t>(b.running->index);
  r.warp_epoch = b.warps[warp_of(b.running->index)].epoch;
  r.atomic = atomic;
  return r;
}

// note writes the running thread's access into a record, and keeps what a later access of another thread must still know.
static void note(Record& r, bool atomic) {
  const Block& b = *block;
  Record now = fresh(atomic);
  if (r.segment >= segment_first && r.segment >= b.launch_first) {
    const unsigned me = now.thread, warp = warp_of(me);
    now.several_blocks = r.several_blocks || r.segment < b.block_first;
    if (r.segment == b.segment) {
      now.several_warps = r.several_warps || warp_of(r.thread) != warp;
      now.several_lanes = r.warp_epoch == now.warp_epoch && (r.several_lanes || r.thread != me);
    }
  }
  r = now;
}

static std::string other(const Record& r) {
  const Block& b = *block;
  if (r.several_blocks || r.segment < b.block_first) return "another block of this launch";
  return "thread " + where(b.threads[r.thread]);
}

static const char* verb(Kind kind) { return kind == Kind::read ? "read" : kind == Kind::write ? "write" : "atomic"; }

static std::string place(uintptr_t address, size_t bytes, Kind kind) {
  return std::string(verb(kind)) + " of " + std::to_string(bytes) + " bytes at " + [&] {
    char text[32];
    snprintf(text, sizeof text, "0x%zx", static_cast<size_t>(address));
    return std::string(text);
  }();
}

// region_of finds shared memory or the device allocation that holds a range, null where none does. Most accesses lie where the last one did.
static const Region* region_of(uintptr_t address, size_t bytes) {
  const Region* r = &shared;
  if (address - shared.base >= shared.bytes) {
    if (!last_region || address - last_region->base >= last_region->bytes) last_region = device_region(address);
    r = last_region;
  }
  return r && bytes <= r->bytes - (address - r->base) ? r : nullptr;
}

// constant says whether the address lies in a loaded kernel's own constants.
bool constant(uintptr_t address);

void check(uintptr_t address, size_t bytes, Kind kind, size_t align, const void* pc) {
  if (!watching || !block || !block->running) return;
  if (address - block->running->stack < stack_bytes) return;  // its own variables
  if (align > 1 && address % align != 0) raise(misaligned_address, place(address, bytes, kind) + " is not aligned to " + std::to_string(align), pc);
  const Region* const region = region_of(address, bytes);
  if (!region) {
    if (kind == Kind::read && constant(address)) return;
    raise(illegal_address, place(address, bytes, kind) + " is in no allocation", pc);
  }
  if (counting) count_access(address, bytes, kind, region == &shared, pc);
  const std::string& name = region->name;
  Cell* const cells = region->cells + (address - region->base);
  const Record now = fresh(kind == Kind::atomic);
  const uint32_t launch_first = block->launch_first;
  for (size_t i = 0; i < bytes; i++) {
    Cell& c = cells[i];
    // Most reads are of what an earlier launch or the host wrote.
    if (kind == Kind::read && c.write.segment >= segment_host && c.write.segment < launch_first) {
      if (c.read.segment < launch_first)
        c.read = now;
      else
        note(c.read, false);
      continue;
    }
    if (c.write.segment == segment_absent) raise(illegal_address, place(address, bytes, kind) + " is outside of what was allocated in " + name, pc);
    if (kind != Kind::write && c.write.segment == segment_unwritten)
      raise(launch_failed, place(address, bytes, kind) + " in " + name + ": nobody wrote it (or a copy to it has not been waited for)", pc);
    const bool both_atomic = kind == Kind::atomic && c.write.atomic;
    if (!both_atomic && conflicts(c.write))
      raise(launch_failed, "race: " + place(address, bytes, kind) + " in " + name + ", written by " + other(c.write) + " with no barrier between",
            pc);
    if (kind != Kind::read && conflicts(c.read))
      raise(launch_failed, "race: " + place(address, bytes, kind) + " in " + name + ", read by " + other(c.read) + " with no barrier between", pc);
    if (kind == Kind::read)
      note(c.read, false);
    else
      note(c.write, kind == Kind::atomic);
  }
}

void expect_copy(uintptr_t address, size_t bytes, const void* pc) {
  if (!watching) return;
  check(address, bytes, Kind::write, bytes, pc);
  Cell* const cells = region_of(address, bytes)->cells + (address - region_of(address, bytes)->base);
  for (size_t i = 0; i < bytes; i++) cells[i].write.segment = segment_unwritten;
}

}  // namespace emu
