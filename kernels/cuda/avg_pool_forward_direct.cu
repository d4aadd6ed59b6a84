// avg_pool_forward_direct: y[n,c] = (sum_p x[n,p,c]) / pixels.      x [n,pixels,c], y [n,c]
// Grid:  one thread an output; neighbours are channels, so that a warp reads 128 consecutive bytes a pixel.      Builds for: sm_75 and later.
// Cost:  x read once, bound by memory. Summed in order of the pixels (16 of them at the end of this network).
#include "device.cuh"

KERNEL avg_pool_forward_direct(float* y, const float* x, int64_t n, int64_t pixels, int64_t c) {
  const int64_t i = global_thread();
  if (i >= n * c) return;
  const float* at = x + i / c * pixels * c + i % c;
  float sum = 0.0f;
  for (int64_t p = 0; p < pixels; p++, at += c) sum += *at;
  y[i] = sum / static_cast<float>(pixels);
}
EXPORT_KERNEL(avg_pool_forward_direct)
