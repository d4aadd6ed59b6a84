// sgd: g' = g + weight_decay*w; buf = momentum*buf + g'; w = w - lr*buf, n elements; nothing at all where state[5] is set.
// Scalars: momentum, weight_decay; they and lr are rounded to T first.
// Roundings as PyTorch's CPU kernels: mul_ and add(alpha) are separate passes, and add(alpha) fuses its multiply-add. So the first and the last line
// are one rounding each, and momentum*buf is rounded before g' is added.
// Cost: 20 bytes an element (float), bound by memory.
#ifndef NCT_SGD_DIRECT_HPP
#define NCT_SGD_DIRECT_HPP
#include "parallel.hpp"

namespace nct::NCT_ISA {

template <typename T>
void sgd_direct(const nct_call* call, nct_pool* pool) {
  T* const w = operand<T>(call, 0);
  const T* const g = operand<const T>(call, 1);
  T* const buf = operand<T>(call, 2);
  const int64_t* const state = operand<const int64_t>(call, 4);
  if (state[NCT_STATE_NONFINITE] != 0) return;
  const Vector<T> minus_lr = broadcast(static_cast<T>(-*operand<const double>(call, 3)));
  const Vector<T> momentum = broadcast(static_cast<T>(call->scalar[0]));
  const Vector<T> weight_decay = broadcast(static_cast<T>(call->scalar[1]));
  parallel_ranges(pool, call->shape.n, kElementwiseStep, [=](int64_t begin, int64_t end) {
    for_vectors<T>(end - begin, [=](int64_t j, auto part) {
      const int64_t i = begin + j;
      const Vector<T> weight = load(w + i, part);
      const Vector<T> decayed = fma(weight, weight_decay, load(g + i, part));
      const Vector<T> velocity = rounded(momentum * load(buf + i, part)) + decayed;
      store(buf + i, velocity, part);
      store(w + i, fma(velocity, minus_lr, weight), part);
    });
  });
}

}  // namespace nct::NCT_ISA
#endif
