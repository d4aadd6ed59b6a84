// What bn_forward does to a value, as the kernel of that name and in the epilogue of a convolution:
// (x-mean) * (invstd*gamma) + beta [+ residual] [flag RELU: max(., 0)].
// The residual is added after beta's sum is rounded: bit for bit the sequence bn_forward, add, relu_forward.
#ifndef NCTRAIN_BN_FORWARD_CUH
#define NCTRAIN_BN_FORWARD_CUH
#include "device.cuh"

struct BatchNorm {
  const float *mean, *invstd, *gamma, *beta;
  uint32_t flags;

  // What is done to as many channels from c on as `at` takes at once: a function of their values, and of where their residuals are, null where there are none.
  template <typename At>
  DEVICE auto of_channels(int32_t c, At at) const {
    const auto about = at.load(mean + c), shift = at.load(beta + c);
    const auto scale = each([](float a, float b) { return a * b; }, at.load(invstd + c), at.load(gamma + c));
    const bool cut = flags & FLAG_RELU;
    return [=](auto value, const float* residual) {
      value = each([](float x, float m) { return x - m; }, value, about);
      value = each([](float x, float a, float b) { return fmaf(x, a, b); }, value, scale, shift);
      if (residual) value = each([](float a, float b) { return a + b; }, value, at.load(residual));
      if (cut) value = each([](float v) { return relu(v); }, value);
      return value;
    };
  }
};

// A launch's arguments are numbers and addresses, so a kernel takes BatchNorm's fields one by one.
#define BATCH_NORM_FIELDS const float *mean, const float *invstd, const float *gamma, const float *beta, uint32_t flags
#define BATCH_NORM_OF_FIELDS \
  { mean, invstd, gamma, beta, flags }

#endif
