// avg_pool_backward_direct: dx[n,p,c] = dy[n,c] / pixels.      dx [n,pixels,c], dy [n,c]
// Grid:  one thread an input's element; neighbours are channels.      Builds for: sm_75 and later.
// Cost:  dx written once, bound by memory.
#include "device.cuh"

KERNEL avg_pool_backward_direct(float* dx, const float* dy, int64_t n, int64_t pixels, int64_t c) {
  const int64_t i = global_thread();
  if (i >= n * pixels * c) return;
  dx[i] = dy[i / (pixels * c) * c + i % c] / static_cast<float>(pixels);
}
EXPORT_KERNEL(avg_pool_backward_direct)
