// Queued work: done at once, or kept where its stream is being captured.
#ifndef EMU_WORK_H
#define EMU_WORK_H
#include <functional>
#include <vector>

#include "emu.h"

namespace emu {

using Work = std::function<Error()>;
using Graph = std::vector<Work>;

struct Stream {
  bool capturing = false;
  Graph graph;
};

// A launch's arguments, copied as the driver copies them.
class Arguments {
 public:
  Arguments(const std::vector<size_t>& sizes, void* const* slots);
  void** slots();

 private:
  std::vector<std::vector<char>> values;
  std::vector<void*> pointers;
};

bool read_failure();  // of $NCTRAIN_EMU_FAIL; false where it cannot be understood
bool capturing(void* stream);
Error queue(void* stream, Work work);  // stream null: the default one
Error at_once(const Work& work);       // waits for all streams, so not while one is captured
Error begin_capture(Stream*);
Error end_capture(Stream*, Graph** out);

}  // namespace emu
#endif
