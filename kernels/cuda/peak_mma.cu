// peak_mma: d[16,8] += a[16,depth] * b[depth,8] in bf16 (depth 16) or tf32 (depth 8), k times in each of eight chains of a warp, a all x[i] of the
// lane i, b all 1; y[i] = the sum of what lane i has of every d.      What the card's tensor cores give by mma.sync: 8*2*16*8*depth*k flop a warp.
// Grid:  one thread an element, blocks of 256: eight independent chains a warp, and enough warps that none waits for another product.      Builds for: sm_80 and later.
// Cost:  no memory traffic.      No network calls it: `nctrain kernels bench` compares the kernels that use mma.sync with it. What wgmma gives on sm_90a is more.
#include "device.cuh"

constexpr int kChains = 8;

template <typename Multiply>
DEVICE void chains(float* y, uint32_t a, uint32_t one, int32_t k, Multiply multiply) {
  const uint32_t left[4] = {a, a, a, a}, right[2] = {one, one};
  float d[kChains][4] = {};
  for (int32_t step = 0; step < k; step++) {
#pragma unroll
    for (int chain = 0; chain < kChains; chain++) multiply(d[chain], left, right);
  }
  float sum = 0.0f;
#pragma unroll
  for (int chain = 0; chain < kChains; chain++) sum += (d[chain][0] + d[chain][1]) + (d[chain][2] + d[chain][3]);
  y[global_thread()] = sum;
}

KERNEL peak_mma_tf32(float* y, const float* x, int32_t k) {
  chains(y, tf32_of(x[global_thread()]), tf32_of(1.0f), k, [](float* d, const uint32_t* a, const uint32_t* b) { mma_tf32(d, a, b); });
}
EXPORT_KERNEL(peak_mma_tf32)

KERNEL peak_mma_bf16(float* y, const float* x, int32_t k) {
  const float v = x[global_thread()];
  chains(y, bf16_pair(v, v), bf16_pair(1.0f, 1.0f), k, [](float* d, const uint32_t* a, const uint32_t* b) { mma_bf16(d, a, b); });
}
EXPORT_KERNEL(peak_mma_bf16)
