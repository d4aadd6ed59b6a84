// bn_forward: y = (x-mean) * (invstd*gamma) + beta [+ residual] [flag RELU: max(., 0)].      x, residual, y [n,h,w,c]; the others [c]
// The residual is added after beta's sum is rounded: bit for bit the sequence bn_forward, add, relu_forward.
// Cost: x (and residual) read and y written once; a large y past the caches.
#ifndef NCT_BN_FORWARD_DIRECT_HPP
#define NCT_BN_FORWARD_DIRECT_HPP
#include "bn_rows.hpp"

namespace nct::NCT_ISA {

template <typename T, bool Residual, bool Relu>
inline void bn_forward(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const T* const x = operand<const T>(call, 0);
  const T* const mean = operand<const T>(call, 1);
  const T* const invstd = operand<const T>(call, 2);
  const T* const gamma = operand<const T>(call, 3);
  const T* const beta = operand<const T>(call, 4);
  const T* const residual = operand<const T>(call, 5);
  T* const y = operand<T>(call, 6);
  const bool streams = streams_output(y, s.n * s.h * s.w * s.c);
  bn_elementwise<T>(s, pool, [=](int64_t channel, int64_t n, auto each) {
    T center[kBNTile], scale[kBNTile], shift[kBNTile];
    for (int64_t i = 0, c = channel % s.c; i < n; i++, c = c + 1 == s.c ? 0 : c + 1) {
      center[i] = mean[c];
      scale[i] = invstd[c] * gamma[c];
      shift[i] = beta[c];
    }
    each([&](int64_t at, int64_t i, auto part) {
      Vector<T> value = fma(load(x + at, part) - load(center + i, part), load(scale + i, part), load(shift + i, part));
      if constexpr (Residual) value = rounded(value) + load(residual + at, part);
      if constexpr (Relu) value = relu(value);
      put(y + at, value, part, streams);
    });
    if (streams) stream_end();
  });
}

template <typename T>
void bn_forward_direct(const nct_call* call, nct_pool* pool) {
  const bool residual = call->operand[5] != nullptr, relu = (call->flags & NCT_RELU) != 0;
  if (residual)
    relu ? bn_forward<T, true, true>(call, pool) : bn_forward<T, true, false>(call, pool);
  else
    relu ? bn_forward<T, false, true>(call, pool) : bn_forward<T, false, false>(call, pool);
}

}  // namespace nct::NCT_ISA
#endif
