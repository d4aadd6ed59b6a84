// bn_forward_direct: y = (x-mean) * (invstd*gamma) + beta [+ residual] [ReLU: max(., 0)].      x, residual, y [rows,c]; the others [c]
// Grid:  one thread four elements of a row, 16 bytes a load and a store; single ones where c is no multiple of 4.
// Needs: 16-byte aligned buffers, rows*c < 2^31.      Builds for: sm_75 and later.
// Cost:  x (and residual) read and y written once, bound by memory; the four channel vectors stay in cache.
// The residual is added after beta's sum is rounded: bit for bit the sequence bn_forward, add, relu_forward.
#include "device.cuh"

struct BatchNorm {
  const float *mean, *invstd, *gamma, *beta;

  // at says how many channels from c on are normalised together.
  template <typename At>
  DEVICE auto normalise(const float* x, uint32_t c, At at) const {
    const auto centred = each([](float a, float b) { return a - b; }, at.load(x), at.load(mean + c));
    const auto scale = each([](float a, float b) { return a * b; }, at.load(invstd + c), at.load(gamma + c));
    return each([](float a, float b, float d) { return fmaf(a, b, d); }, centred, scale, at.load(beta + c));
  }
};

KERNEL bn_forward_direct(float* y, const float* x, const float* mean, const float* invstd, const float* gamma, const float* beta,
                         const float* residual, int64_t rows, int32_t c, uint32_t flags) {
  const BatchNorm norm = {mean, invstd, gamma, beta};
  const auto one = [=](int64_t i, auto at) {
    auto value = norm.normalise(x + i, static_cast<uint32_t>(i) % static_cast<uint32_t>(c), at);
    if (residual) value = each([](float a, float b) { return a + b; }, value, at.load(residual + i));
    if (flags & FLAG_RELU) value = each([](float v) { return relu(v); }, value);
    at.store(y + i, value);
  };
  const int64_t n = rows * c;
  if (c % 4 == 0) {
    for4(n, one);
  } else {
    for (int64_t i = 4 * global_thread(), end = i + 4; i < end && i < n; i++) one(i, Single());
  }
}
EXPORT_KERNEL(bn_forward_direct)
