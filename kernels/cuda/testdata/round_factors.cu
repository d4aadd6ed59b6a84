// For the tests: how numbers are rounded before a matrix instruction.      Builds for: sm_80 and later.
#include "../device.cuh"

// round_factors: tf32[i] = x[i] as tf32, bf16[i] = x[i] as bf16 in both halves, one thread a number.
KERNEL round_factors(uint32_t* tf32, uint32_t* bf16, const float* x) {
  tf32[threadIdx.x] = tf32_of(x[threadIdx.x]);
  bf16[threadIdx.x] = bf16_pair(x[threadIdx.x], x[threadIdx.x]);
}
EXPORT_KERNEL(round_factors)
