#include "work.h"

#include <stdlib.h>

namespace emu {

static int captures;
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
  if (!capturing(stream)) return run(work);
  static_cast<Stream*>(stream)->graph.push_back(std::move(work));
  return success;
}

Error at_once(const Work& work) { return captures ? stream_capture_unsupported : run(work); }

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
  *out = new Graph(std::move(s->graph));
  s->graph.clear();
  return success;
}

}  // namespace emu
