#include "copies.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <functional>
#include <list>
#include <map>

namespace emu {

// A copy under way.
struct Copy {
  void* stream;
  unsigned long long number;
  char* host;
  bool download;
  std::vector<char> bytes;
};

static bool late = true;
static unsigned long long queued;
static std::list<Copy> under_way;                           // in the order of their queuing
static std::map<char*, size_t> pinned;                      // what cuMemHostAlloc gave
static std::vector<std::pair<uintptr_t, size_t>> arriving;  // on the device

// A download's memory before it has landed: NaN, and a negative integer.
constexpr char kPoison = static_cast<char>(0xff);
// How often an event is asked in vain.
constexpr int kQueries = 2;

bool read_copies() {
  const char* const text = getenv("NCTRAIN_EMU_COPIES");
  late = !text || !*text || !strcmp(text, "late");
  return late || !strcmp(text, "early");
}

void download_later(void* stream, void* host, const void* from, size_t bytes) {
  const char* const source = static_cast<const char*>(from);
  if (!late) {
    memcpy(host, from, bytes);
    return;
  }
  under_way.push_back({stream, ++queued, static_cast<char*>(host), true, {source, source + bytes}});
  memset(host, kPoison, bytes);
}

void upload_later(void* stream, const void* host, size_t bytes) {
  char* const source = const_cast<char*>(static_cast<const char*>(host));  // only compared
  if (late) under_way.push_back({stream, ++queued, source, false, {source, source + bytes}});
}

static bool is_pinned(const void* host) {
  char* const address = const_cast<char*>(static_cast<const char*>(host));  // only compared
  const auto after = pinned.upper_bound(address);
  return after != pinned.begin() && address < std::prev(after)->first + std::prev(after)->second;
}

void arrive_later(uintptr_t to, const void* host, size_t bytes) {
  if (!late || is_pinned(host)) return;
  mark(to, bytes, segment_unwritten);
  arriving.emplace_back(to, bytes);
}

void arrive() {
  for (const auto& [to, bytes] : arriving) written(to, bytes);
  arriving.clear();
}

bool has_arrived(uintptr_t address, size_t bytes) {
  for (const auto& [to, length] : arriving)
    if (address < to + length && to < address + bytes) return false;
  return true;
}

static Error touched(const char* what) {
  fault.error = launch_failed;
  fault.text = what;
  return fault.error;
}

static Error finish(const Copy& c) {
  if (!c.download)
    return memcmp(c.host, c.bytes.data(), c.bytes.size()) ? touched("the host changed the memory of an upload before it knew of the upload's end")
                                                          : success;
  for (size_t i = 0; i < c.bytes.size(); i++)
    if (c.host[i] != kPoison) return touched("the host wrote to the memory of a download before it knew of the download's end");
  memcpy(c.host, c.bytes.data(), c.bytes.size());
  return success;
}

static Error land_where(const std::function<bool(const Copy&)>& reached) {
  for (auto c = under_way.begin(); c != under_way.end();) {
    if (!reached(*c)) {
      ++c;
      continue;
    }
    const Error e = finish(*c);
    c = under_way.erase(c);
    if (e) return e;
  }
  return fault.error;
}

Error land_all() {
  arrive();
  return land_where([](const Copy&) { return true; });
}
Error land(void* stream) {
  if (!stream) arrive();
  return land_where([=](const Copy& c) { return c.stream == stream; });
}
Error land(const Event& e) {
  return land_where([&](const Copy& c) { return c.stream == e.stream && c.number <= e.copies; });
}

void reach(Event& e, void* stream) {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  e = {static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec), stream, queued, late ? kQueries : 0};
}

bool query(Event& e) { return e.queries_left == 0 || e.queries_left-- == 0; }

void* host_allocate(size_t bytes) {
  constexpr size_t page = 4096;
  char* const memory = static_cast<char*>(aligned_alloc(page, (bytes + page - 1) / page * page));
  if (memory) pinned[memory] = bytes;
  return memory;
}

Error host_free(void* memory) {
  const auto found = pinned.find(static_cast<char*>(memory));
  if (found == pinned.end()) return invalid_value;
  for (const Copy& c : under_way)
    if (c.host >= found->first && c.host < found->first + found->second) {
      refusal = {invalid_value, "pinned memory is freed while a copy to or from it is under way"};
      return refusal.error;
    }
  free(memory);
  pinned.erase(found);
  return success;
}

}  // namespace emu
