// linear_wgrad_direct: dw[k,c] = sum_n dy[n,k]*x[n,c], dbias[k] = sum_n dy[n,k].      x [n,c], dy [n,k], dw [k,c]
// Grid:  one thread an element of dw; neighbours are inputs c, so that a warp reads 128 consecutive bytes of x. Those of c = 0 sum dbias as well.
// Builds for: sm_75 and later.      Cost:  2*n*k*c flop; x is read from cache k times.
#include "device.cuh"

KERNEL linear_wgrad_direct(float* dw, float* dbias, const float* x, const float* dy, int32_t n, int32_t c, int32_t k) {
  const int64_t i = global_thread();
  if (i >= static_cast<int64_t>(k) * c) return;
  const int32_t row = static_cast<int32_t>(i / c), column = static_cast<int32_t>(i % c);
  float sum = 0, bias = 0;
  for (int64_t s = 0; s < n; s++) {
    const float gradient = dy[s * k + row];
    sum = fmaf(gradient, x[s * c + column], sum);
    bias += gradient;
  }
  dw[i] = sum;
  if (column == 0) dbias[row] = bias;
}
EXPORT_KERNEL(linear_wgrad_direct)
