// advance: the step is over. state[0] += 1 unless state[5] is set; state[1] += 1; state[2] += n (the batch).
#ifndef NCT_ADVANCE_DIRECT_HPP
#define NCT_ADVANCE_DIRECT_HPP
#include "parallel.hpp"

namespace nct::NCT_ISA {

template <typename>
void advance_direct(const nct_call* call, nct_pool*) {
  int64_t* const state = operand<int64_t>(call, 0);
  if (state[NCT_STATE_NONFINITE] == 0) state[NCT_STATE_STEP] += 1;
  state[NCT_STATE_SLOT] += 1;
  state[NCT_STATE_CURSOR] += call->shape.n;
}

}  // namespace nct::NCT_ISA
#endif
