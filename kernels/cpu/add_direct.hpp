// add: y = a + b, n elements.      Cost: 12 bytes an element (float), bound by memory.      Error: one rounding.
#ifndef NCT_ADD_DIRECT_HPP
#define NCT_ADD_DIRECT_HPP
#include "parallel.hpp"

namespace nct::NCT_ISA {

template <typename T>
void add_direct(const nct_call* call, nct_pool* pool) {
  const T* const a = operand<const T>(call, 0);
  const T* const b = operand<const T>(call, 1);
  T* const y = operand<T>(call, 2);
  parallel_ranges(pool, call->shape.n, kElementwiseStep, [=](int64_t begin, int64_t end) {
    for_vectors<T>(end - begin, [=](int64_t i, auto part) { store(y + begin + i, load(a + begin + i, part) + load(b + begin + i, part), part); });
  });
}

}  // namespace nct::NCT_ISA
#endif
