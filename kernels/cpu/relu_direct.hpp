// relu_forward:  y = max(x, 0), n elements; NaN stays NaN.
// relu_backward: dx = dy where y > 0, else 0: the mask is the output itself, so nothing is saved.
// Cost: 8 and 12 bytes an element (float), bound by memory.      Exact: no rounding.
#ifndef NCT_RELU_DIRECT_HPP
#define NCT_RELU_DIRECT_HPP
#include "parallel.hpp"

namespace nct::NCT_ISA {

template <typename T>
void relu_forward_direct(const nct_call* call, nct_pool* pool) {
  const T* const x = operand<const T>(call, 0);
  T* const y = operand<T>(call, 1);
  parallel_ranges(pool, call->shape.n, kElementwiseStep, [=](int64_t begin, int64_t end) {
    for_vectors<T>(end - begin, [=](int64_t i, auto part) { store(y + begin + i, relu(load(x + begin + i, part)), part); });
  });
}

template <typename T>
void relu_backward_direct(const nct_call* call, nct_pool* pool) {
  const T* const dy = operand<const T>(call, 0);
  const T* const y = operand<const T>(call, 1);
  T* const dx = operand<T>(call, 2);
  parallel_ranges(pool, call->shape.n, kElementwiseStep, [=](int64_t begin, int64_t end) {
    for_vectors<T>(end - begin,
                   [=](int64_t i, auto part) { store(dx + begin + i, where_positive(load(y + begin + i, part), load(dy + begin + i, part)), part); });
  });
}

}  // namespace nct::NCT_ISA
#endif
