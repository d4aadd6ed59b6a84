// bn_forward_direct: y = (x-mean) * (invstd*gamma) + beta [+ residual] [ReLU: max(., 0)].      x, residual, y [rows,c]; the others [c]
// Grid:  one thread four elements of a row, 16 bytes a load and a store; single ones where c is no multiple of 4.
// Needs: 16-byte aligned buffers, rows*c < 2^31.      Builds for: sm_75 and later.
// Cost:  x (and residual) read and y written once, bound by memory; the four channel vectors stay in cache.
#include "bn_forward.cuh"

KERNEL bn_forward_direct(float* y, const float* x, const float* mean, const float* invstd, const float* gamma, const float* beta,
                         const float* residual, int64_t rows, int32_t c, uint32_t flags) {
  const BatchNorm norm = {mean, invstd, gamma, beta, flags};
  const auto one = [=](int64_t i, auto at) {
    const auto normalise = norm.of_channels(static_cast<int32_t>(static_cast<uint32_t>(i) % static_cast<uint32_t>(c)), at);
    at.store(y + i, normalise(at.load(x + i), residual ? residual + i : nullptr));
  };
  const int64_t n = rows * c;
  if (c % 4 == 0) {
    for4(n, one);
  } else {
    for (int64_t i = 4 * global_thread(), end = i + 4; i < end && i < n; i++) one(i, Single());
  }
}
EXPORT_KERNEL(bn_forward_direct)
