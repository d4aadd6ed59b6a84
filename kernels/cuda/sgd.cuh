// What SGD's kernels share: the update of n elements, g' = g + weight_decay*w; buf = momentum*buf + g'; w = w - lr*buf; nothing at all where state[5] is set.
// Roundings as PyTorch's kernels and kernels/cpu: the first and the last line are one rounding each (fused), and momentum*buf is rounded before g' is added.
#ifndef NCTRAIN_SGD_CUH
#define NCTRAIN_SGD_CUH
#include "device.cuh"

DEVICE void sgd_update(float* w, const float* g, float* buf, const double* lr, const int64_t* state, float momentum, float weight_decay, int64_t n) {
  if (state[STATE_NONFINITE] != 0) return;
  const float minus_lr = static_cast<float>(-*lr);
  for4(n, [=](int64_t i, auto at) {
    const auto weight = at.load(w + i);
    const auto decayed = each([=](float a, float b) { return fmaf(a, weight_decay, b); }, weight, at.load(g + i));
    const auto velocity = each([=](float a, float b) { return momentum * a + b; }, at.load(buf + i), decayed);
    at.store(buf + i, velocity);
    at.store(w + i, each([=](float a, float b) { return fmaf(a, minus_lr, b); }, velocity, weight));
  });
}

#endif
