// Recordings: calls kept in order. A replay is a loop over an array.
#include <errno.h>
#include <time.h>

#include <new>

#include "memory.hpp"
#include "nct.h"

namespace {

struct Entry {
  const nct_kernel* kernel;
  nct_call call;
};

int64_t now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
}

}  // namespace

struct nct_recording {
  Entry* entries = nullptr;
  int64_t size = 0, capacity = 0;
};

extern "C" {

nct_recording* nct_recording_create(void) {
  nct::count_allocation();
  return new (std::nothrow) nct_recording;
}

void nct_recording_destroy(nct_recording* r) {
  if (r == nullptr) return;
  delete[] r->entries;
  delete r;
}

int nct_recording_add(nct_recording* r, const nct_kernel* kernel, const nct_call* call) {
  if (r->size == r->capacity) {
    const int64_t capacity = r->capacity == 0 ? 64 : 2 * r->capacity;
    nct::count_allocation();
    Entry* const larger = new (std::nothrow) Entry[static_cast<size_t>(capacity)];
    if (larger == nullptr) return ENOMEM;
    for (int64_t i = 0; i < r->size; i++) larger[i] = r->entries[i];
    delete[] r->entries;
    r->entries = larger;
    r->capacity = capacity;
  }
  r->entries[r->size++] = Entry{kernel, *call};
  return 0;
}

void nct_recording_replay(const nct_recording* r, nct_pool* pool) {
  for (int64_t i = 0; i < r->size; i++) r->entries[i].kernel->run(&r->entries[i].call, pool);
}

void nct_recording_profile(const nct_recording* r, nct_pool* pool, int64_t* nanoseconds) {
  int64_t last = now();
  for (int64_t i = 0; i < r->size; i++) {
    r->entries[i].kernel->run(&r->entries[i].call, pool);
    const int64_t t = now();
    nanoseconds[i] = t - last;
    last = t;
  }
}
}
