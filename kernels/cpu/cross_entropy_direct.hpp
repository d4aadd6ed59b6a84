// cross_entropy: losses[slot] = avg_n (logsumexp_k logits[n,k] - logits[n,labels[n]]), correct[slot] = #(argmax_k == label, the first of equals),
// dlogits = (softmax - onehot)/N where asked for, slot = state[1] mod H; a loss that is not finite sets state[5] = 1 + state[0] unless it is set.
// In double whatever T is: the loss is what people read, and its cost is nothing beside a convolution's.
// Needs: workspace of N losses (double) and N hits (int32).
#ifndef NCT_CROSS_ENTROPY_DIRECT_HPP
#define NCT_CROSS_ENTROPY_DIRECT_HPP
#include "parallel.hpp"

namespace nct::NCT_ISA {

template <typename T>
void cross_entropy_direct_requirements(const nct_shape* shape, nct_requirements* r) {
  r->workspace = shape->n * static_cast<int64_t>(sizeof(double) + sizeof(int32_t));
}

template <typename T>
void cross_entropy_direct(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const T* const logits = operand<const T>(call, 0);
  const int32_t* const labels = operand<const int32_t>(call, 1);
  int64_t* const state = operand<int64_t>(call, 2);
  T* const dlogits = operand<T>(call, 5);
  double* const loss = static_cast<double*>(call->workspace);
  int32_t* const hit = reinterpret_cast<int32_t*>(loss + s.n);
  parallel(pool, s.n, [=, &s](int64_t n, int) {
    const T* const row = logits + n * s.k;
    int64_t best = 0;
    for (int64_t k = 1; k < s.k; k++)
      if (row[k] > row[best]) best = k;
    const double top = static_cast<double>(row[best]);
    double total = 0;
    for (int64_t k = 0; k < s.k; k++) total += __builtin_exp(static_cast<double>(row[k]) - top);
    const double logsumexp = top + __builtin_log(total);
    loss[n] = logsumexp - static_cast<double>(row[labels[n]]);
    hit[n] = best == labels[n];
    if (dlogits == nullptr) return;
    for (int64_t k = 0; k < s.k; k++) {
      const double softmax = __builtin_exp(static_cast<double>(row[k]) - logsumexp);
      dlogits[n * s.k + k] = static_cast<T>((softmax - (k == labels[n] ? 1.0 : 0.0)) / static_cast<double>(s.n));
    }
  });
  double total = 0;
  int32_t hits = 0;
  for (int64_t n = 0; n < s.n; n++) {
    total += loss[n];
    hits += hit[n];
  }
  const int64_t slot = state[NCT_STATE_SLOT] % s.h;
  operand<double>(call, 3)[slot] = total / static_cast<double>(s.n);
  operand<int32_t>(call, 4)[slot] = hits;
  if (!__builtin_isfinite(total) && state[NCT_STATE_NONFINITE] == 0) state[NCT_STATE_NONFINITE] = 1 + state[NCT_STATE_STEP];
}

}  // namespace nct::NCT_ISA
#endif
