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
  explicit Stream(unsigned flags) : waits(!(flags & 1)) {}  // CU_STREAM_NON_BLOCKING
  bool waits;                                               // for the default stream, as that does for it
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

// The thread's context, and work that is refused where there is none.
extern thread_local void* current_context;
Error in_context(const Work& work);

bool read_failure();  // of $NCTRAIN_EMU_FAIL; false where it cannot be understood
bool capturing(void* stream);
Error queue(void* stream, Work work);  // stream null: the default one
bool capture_refuses();                // what is of no stream, while one is captured; the capture is spoilt by it
Error at_once(const Work& work);       // of the default stream, which waits
Error begin_capture(Stream*);
Error end_capture(Stream*, Graph** out);

}  // namespace emu
#endif
