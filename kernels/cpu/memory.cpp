// Memory: the arena's mapping, the counted heap.
#include "memory.hpp"

#include <stdlib.h>
#include <sys/mman.h>

#include <atomic>

#include "nct.h"

namespace nct {
namespace {

constexpr size_t kHugePage = size_t{1} << 21;
constexpr size_t kCacheLine = 64;

std::atomic<int64_t> allocations{0};

size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

}  // namespace

void count_allocation() { allocations.fetch_add(1, std::memory_order_relaxed); }

void* allocate(size_t bytes) {
  count_allocation();
  return aligned_alloc(kCacheLine, round_up(bytes, kCacheLine));
}

void release(void* p) { free(p); }

void* allocate_huge(size_t bytes) {
  const size_t size = round_up(bytes, kHugePage);
  count_allocation();
  char* const pages = static_cast<char*>(aligned_alloc(kHugePage, size));
  if (pages == nullptr) return nullptr;
  madvise(pages, size, MADV_HUGEPAGE);  // a hint
  return pages + size - round_up(bytes, kCacheLine);
}

void release_huge(void* p, size_t bytes) {
  if (p != nullptr) free(static_cast<char*>(p) + round_up(bytes, kCacheLine) - round_up(bytes, kHugePage));
}

}  // namespace nct

extern "C" {

void* nct_memory_map(int64_t bytes) {
  if (bytes <= 0 || static_cast<uint64_t>(bytes) > SIZE_MAX - 2 * nct::kHugePage) return nullptr;
  const size_t size = nct::round_up(static_cast<size_t>(bytes), nct::kHugePage);
  nct::count_allocation();
  // Without a reservation an arena may span all of the memory that the machine has; only what is touched is backed.
  // mmap aligns to 4 KiB only: map one huge page more and give back what stands before and after the aligned part.
  void* mapped = mmap(nullptr, size + nct::kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  char* const start = static_cast<char*>(mapped);
  char* const aligned = reinterpret_cast<char*>(nct::round_up(reinterpret_cast<size_t>(start), nct::kHugePage));
  if (aligned > start) munmap(start, static_cast<size_t>(aligned - start));
  const size_t after = static_cast<size_t>(start + nct::kHugePage - aligned);
  if (after > 0) munmap(aligned + size, after);
  madvise(aligned, size, MADV_HUGEPAGE);  // a hint: kernels without huge pages refuse it and everything still works
  return aligned;
}

void nct_memory_unmap(void* p, int64_t bytes) {
  if (p != nullptr) munmap(p, nct::round_up(static_cast<size_t>(bytes), nct::kHugePage));
}

int64_t nct_allocations(void) { return nct::allocations.load(std::memory_order_relaxed); }
}
