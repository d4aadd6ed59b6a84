// Asynchronous copies between the device and host memory. They land as late as the rules allow: between its queuing and the moment at which the host learns of
// its end (a stream or event that it waits for or finds done), a copy's host memory is the copy's. A download has taken that memory already and has not
// given its numbers yet; an upload may still read it. $NCTRAIN_EMU_COPIES=early lands them as they are queued, and every event is done at once.
#ifndef EMU_COPIES_H
#define EMU_COPIES_H
#include <stddef.h>

#include "emu.h"

namespace emu {

struct Event {
  double seconds = -1;            // when it was reached
  void* stream = nullptr;         // where it was recorded last
  unsigned long long copies = 0;  // those queued before it
  int queries_left = 0;           // that still answer "not ready"
};

bool read_copies();  // of $NCTRAIN_EMU_COPIES; false where it cannot be understood

// The parts of an asynchronous copy that the device's side does not do: download has the bytes that the device gave, upload those that it was given.
void download_later(void* stream, void* host, const void* from, size_t bytes);
void upload_later(void* stream, const void* host, size_t bytes);

void reach(Event& e, void* stream);  // the event is recorded
bool query(Event& e);                // whether the host finds it done
// arrive_later: of host memory that is not pinned, a copy that waits has taken the bytes when it returns, but they arrive on the device at some time before the
// default stream is known to be done: until then nobody wrote them, for streams that do not wait for that one.
void arrive_later(uintptr_t to, const void* host, size_t bytes);
void arrive();                                      // the default stream is known to be done, or is waited for by what comes
bool has_arrived(uintptr_t address, size_t bytes);  // none of the range is on its way

// What the host learns of lands: all copies, a stream's, or those before an event. The error is that of a copy whose memory the host has touched.
Error land_all();
Error land(void* stream);
Error land(const Event& e);

// host_memory is what cuMemHostAlloc gave; releasing it is refused while a copy to or from it is under way.
void* host_allocate(size_t bytes);
Error host_free(void* memory);

}  // namespace emu
#endif
