#include "work.h"

#include <stdlib.h>

#include <utility>

#include "copies.h"

namespace emu {

thread_local void* current_context;

Error in_context(const Work& work) {
  if (current_context) return work();
  refusal = {invalid_context, "no context is current to this thread"};
  return refusal.error;
}

static int captures;
static bool spoilt;                         // what is captured, by work that waits
static unsigned long long fail_at, queued;  // fail_at 0: never

bool read_failure() {
  const char* const text = getenv("NCTRAIN_EMU_FAIL");
  if (!text || !*text) return true;
  char* end;
  fail_at = strtoull(text, &end, 10);
  return !*end;
}

Arguments::Arguments(const std::vector<size_t>& sizes, void* const* slots) {
  for (size_t i = 0; i < sizes.size(); i++) values.emplace_back(static_cast<char*>(slots[i]), static_cast<char*>(slots[i]) + sizes[i]);
}

void** Arguments::slots() {
  pointers.clear();
  for (auto& v : values) pointers.push_back(v.data());
  return pointers.data();
}

bool capturing(void* stream) { return stream && static_cast<Stream*>(stream)->capturing; }

static Error run(const Work& work) {
  if (fault.error) return fault.error;
  if (fail_at && ++queued >= fail_at) {
    fault.error = ecc_uncorrectable;
    fault.text = "the device is lost at work " + std::to_string(queued) + ", as NCTRAIN_EMU_FAIL asks";
    return fault.error;
  }
  return work();
}

Error queue(void* stream, Work work) {
  if (!current_context) return in_context(work);
  if (!capturing(stream)) {
    if (!stream || static_cast<Stream*>(stream)->waits) arrive();
    return run(work);
  }
  static_cast<Stream*>(stream)->graph.push_back(std::move(work));
  return success;
}

bool capture_refuses() {
  if (captures) spoilt = true;
  return captures > 0;
}

Error at_once(const Work& work) {
  return in_context([&] { return capture_refuses() ? stream_capture_unsupported : run(work); });
}

Error begin_capture(Stream* s) {
  if (!s || s->capturing) return illegal_state;
  s->capturing = true;
  captures++;
  return success;
}

Error end_capture(Stream* s, Graph** out) {
  if (!s || !s->capturing) return illegal_state;
  s->capturing = false;
  captures--;
  Graph graph = std::move(s->graph);
  s->graph.clear();
  if (std::exchange(spoilt, spoilt && captures > 0)) return *out = nullptr, stream_capture_invalidated;
  *out = new Graph(std::move(graph));
  return success;
}

}  // namespace emu
