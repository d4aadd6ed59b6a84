// peak_read_direct: y[n] = sum_c x[n,c], c a multiple of 1024.      What the card can read: 4*n*c bytes, one addition each.
// Grid:  one block of 256 threads a row, four elements a thread and turn; partial sums meet in shared memory.      Builds for: sm_75 and later.
// Cost:  4*n*c bytes.      No network calls it: `nctrain kernels bench` compares the other kernels with it.
#include "device.cuh"

KERNEL peak_read_direct(float* y, const float* x, int64_t c) {
  SHARED(float, sums, 256);
  const float* const row = x + blockIdx.x * c;
  float sum = 0.0f;
  for (int64_t i = 4 * threadIdx.x; i < c; i += 1024) {
    const float4 v = load4(row + i);
    sum += (v.x + v.y) + (v.z + v.w);
  }
  sums[threadIdx.x] = sum;
  for (unsigned half = 128; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  if (threadIdx.x == 0) y[blockIdx.x] = sums[0];
}
EXPORT_KERNEL(peak_read_direct)
