// linear_dgrad_direct: dx[n,c] = sum_k dy[n,k]*w[k,c].      dy [n,k], w [k,c], dx [n,c]
// Grid:  one thread an output; neighbours are inputs c, so that a warp reads 128 consecutive bytes of w.      Builds for: sm_75 and later.
// Cost:  2*n*k*c flop; w is read from cache n times.
#include "device.cuh"

KERNEL linear_dgrad_direct(float* dx, const float* dy, const float* w, int64_t n, int32_t c, int32_t k) {
  const int64_t i = global_thread();
  if (i >= n * c) return;
  const float* const gradient = dy + i / c * k;
  const float* weight = w + i % c;
  float sum = 0;
  for (int32_t j = 0; j < k; j++, weight += c) sum = fmaf(gradient[j], *weight, sum);
  dx[i] = sum;
}
EXPORT_KERNEL(linear_dgrad_direct)
