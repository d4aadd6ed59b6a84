// avg_pool_forward:  y[n,c] = (sum_{h,w} x[n,h,w,c]) / (H*W)
// avg_pool_backward: dx[n,h,w,c] = dy[n,c] / (H*W)
// Cost: x or dx moved once.
#ifndef NCT_AVG_POOL_DIRECT_HPP
#define NCT_AVG_POOL_DIRECT_HPP
#include "parallel.hpp"

namespace nct::NCT_ISA {

template <typename T>
void avg_pool_forward_direct(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const T* const x = operand<const T>(call, 0);
  T* const y = operand<T>(call, 1);
  const int64_t pixels = s.h * s.w;
  const Vector<T> count = broadcast(static_cast<T>(pixels));
  parallel(pool, s.n, [=, &s](int64_t n, int) {
    for_vectors<T>(s.c, [=, &s](int64_t c, auto part) {
      Vector<T> total{};
      for (int64_t i = 0; i < pixels; i++) total += load(x + (n * pixels + i) * s.c + c, part);
      store(y + n * s.c + c, total / count, part);
    });
  });
}

template <typename T>
void avg_pool_backward_direct(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const T* const dy = operand<const T>(call, 0);
  T* const dx = operand<T>(call, 1);
  const int64_t pixels = s.h * s.w;
  const Vector<T> count = broadcast(static_cast<T>(pixels));
  parallel(pool, s.n, [=, &s](int64_t n, int) {
    for_vectors<T>(s.c, [=, &s](int64_t c, auto part) {
      const Vector<T> share = load(dy + n * s.c + c, part) / count;
      for (int64_t i = 0; i < pixels; i++) store(dx + (n * pixels + i) * s.c + c, share, part);
    });
  });
}

}  // namespace nct::NCT_ISA
#endif
