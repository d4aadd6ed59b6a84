// linear_fprop_direct: y[n,k] = sum_c x[n,c]*w[k,c] + bias[k].      x [n,c], w [k,c], y [n,k]
// Grid:  one warp an output; lane l sums c = l, l+32, ..., then the lanes in pairs.      Builds for: sm_75 and later.
// Cost:  2*n*k*c flop; x and w are read from cache once for each output that needs them.
#include "device.cuh"

KERNEL linear_fprop_direct(float* y, const float* x, const float* w, const float* bias, int64_t n, int32_t c, int32_t k) {
  const int64_t output = global_thread() / 32;
  if (output >= n * k) return;
  const int32_t lane = static_cast<int32_t>(threadIdx.x) % 32, row = static_cast<int32_t>(output % k);
  const float *const a = x + output / k * c, *const b = w + static_cast<int64_t>(row) * c;
  float sum = 0;
  for (int32_t i = lane; i < c; i += 32) sum = fmaf(a[i], b[i], sum);
  for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, lanes);
  if (lane == 0) y[output] = sum + bias[row];
}
EXPORT_KERNEL(linear_fprop_direct)
