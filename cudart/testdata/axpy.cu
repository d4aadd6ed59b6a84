// For cudart's tests: y = a*x + y, and a row of numbers reversed.      Builds for: sm_75 and later.
#ifdef __CUDACC__
#define DYNAMIC_SHARED(T, name) extern __shared__ T name[]
#define EXPORT_KERNEL(k)
#else
#include "emu_device.h"
#endif

extern "C" __global__ void axpy(float* y, const float* x, float a, long long n) {
  const long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < n) y[i] = fmaf(a, x[i], y[i]);
}
EXPORT_KERNEL(axpy)

// reverse: y[i] = x[n-1-i] for one block of n threads, by n floats of dynamic shared memory.
extern "C" __global__ void reverse(float* y, const float* x, int n) {
  DYNAMIC_SHARED(float, tile);
  tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = tile[n - 1 - static_cast<int>(threadIdx.x)];
}
EXPORT_KERNEL(reverse)
