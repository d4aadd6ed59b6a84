// advance_direct: state[0] += 1 unless state[5] is set; state[1] += 1; state[2] += n.      state: int64
// Grid:  one thread.      Builds for: sm_75 and later.
// Why:   the step's state lives on the device, so that a replayed graph needs no argument from the host.
#include "device.cuh"

KERNEL advance_direct(int64_t* state, int64_t n) {
  if (state[STATE_NONFINITE] == 0) state[STATE_STEP] += 1;
  state[STATE_SLOT] += 1;
  state[STATE_CURSOR] += n;
}
EXPORT_KERNEL(advance_direct)
