// bn_backward_direct: g = dy [flag RELU: where y > 0, else 0]; dx = gamma*invstd * (g - dbeta/M - (x-mean)*invstd*dgamma/M), M = rows; [dresidual = g].
// dy, y, x, dx, dresidual [rows,c]; the others [c].      The mask is y itself: bit for bit the sequence relu_backward, bn_backward.
// Grid:  one thread four elements of a row, 16 bytes a load and a store; single ones where c is no multiple of 4.
// Needs: 16-byte aligned buffers, rows*c < 2^31.      Builds for: sm_75 and later.
// Cost:  dy, x (and y) read and dx (and dresidual) written once, bound by memory; the five channel vectors stay in cache.
#include "device.cuh"

struct BatchNormGradient {
  const float *mean, *invstd, *gamma, *dgamma, *dbeta;
  float share;  // 1/M

  // at says how many channels from c on are taken together.
  template <typename Value, typename At>
  DEVICE Value of(Value g, Value x, uint32_t c, At at) const {
    const float m = share;
    const auto times = [](float a, float b) { return a * b; };
    const auto inverse = at.load(invstd + c);
    const auto centred = each([](float a, float b) { return a - b; }, x, at.load(mean + c));
    const auto slope = each([=](float a, float b) { return -(a * b) * m; }, inverse, at.load(dgamma + c));
    const auto shifted = each([=](float a, float b) { return a - b * m; }, g, at.load(dbeta + c));
    const auto inner = each([](float a, float b, float d) { return fmaf(a, b, d); }, centred, slope, shifted);
    return each(times, each(times, at.load(gamma + c), inverse), inner);
  }
};

KERNEL bn_backward_direct(float* dx, float* dresidual, const float* dy, const float* y, const float* x, const float* mean, const float* invstd,
                          const float* gamma, const float* dgamma, const float* dbeta, int64_t rows, int32_t c, uint32_t flags) {
  const BatchNormGradient gradient = {mean, invstd, gamma, dgamma, dbeta, 1.0f / static_cast<float>(rows)};
  const auto one = [=](int64_t i, auto at) {
    auto g = at.load(dy + i);
    if (flags & FLAG_RELU) g = each([](float a, float b) { return relu_gradient(a, b); }, g, at.load(y + i));
    at.store(dx + i, gradient.of(g, at.load(x + i), static_cast<uint32_t>(i) % static_cast<uint32_t>(c), at));
    if (dresidual) at.store(dresidual + i, g);
  };
  const int64_t n = rows * c;
  if (c % 4 == 0) {
    for4(n, one);
  } else {
    for (int64_t i = 4 * global_thread(), end = i + 4; i < end && i < n; i++) one(i, Single());
  }
}
EXPORT_KERNEL(bn_backward_direct)
