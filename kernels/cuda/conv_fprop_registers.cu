// conv_fprop_registers: y[n,p,q,k] = sum_{r,s,c} x[n, p+r-1, q+s-1, c] * w[k,r,s,c], 3x3 taps of 3 channels      (NHWC, KRSC, float32)
// Grid:  x: 4 rows of y, y: 64 channels; 256 threads, each has a channel of a row.      Builds for: sm_75 and later.
// Needs: R = S = C = 3, stride 1, pad 1, fewer than 2^31 elements each.
// Cost:  2*N*P*Q*K*27 flop; writes y once, which binds it: x and w come from the caches.
// Why:   conv_registers.cuh; a pixel that is loaded serves three windows of each of its row's three.
#include "conv_registers.cuh"

KERNEL __launch_bounds__(kThreads) conv_fprop_registers(float* y, const float* x, const float* w, CONV_FIELDS) {
  const Conv conv = CONV_OF_FIELDS;
  SHARED(float, filters, kFilters* kWindow);
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < block_weights(conv); i += kThreads) filters[i] = w[block_k0() * kWindow + i];
  __syncthreads();

  const int32_t k = block_k0() + thread_filter(), line = static_cast<int32_t>(blockIdx.x) * kSlots + thread_slot();
  if (k >= K || line >= N * P) return;
  const int32_t n = line / P, p = line % P;
  float weights[kWindow];
#pragma unroll
  for (int i = 0; i < kWindow; i++) weights[i] = filters[thread_filter() * kWindow + i];  // 27 is odd: no bank twice

  constexpr int kRun = 8;
  for (int32_t q = 0; q < Q; q += kRun) {
    float sum[kRun] = {};
#pragma unroll
    for (int r = 0; r < kTaps; r++) {
      const int32_t row = conv.h(p, r);
      if (!Conv::within(row, H)) continue;
#pragma unroll
      for (int j = 0; j < kRun + kTaps - 1; j++) {
        const int32_t column = conv.w(q, j);
        if (!Conv::within(column, W)) continue;
        const float* const pixel = x + ((n * H + row) * W + column) * kChannels;
#pragma unroll
        for (int c = 0; c < kChannels; c++) {
          const float value = pixel[c];
#pragma unroll
          for (int s = 0; s < kTaps; s++)
            if (j - s >= 0 && j - s < kRun) sum[j - s] = fmaf(value, weights[(r * kTaps + s) * kChannels + c], sum[j - s]);
        }
      }
    }
#pragma unroll
    for (int i = 0; i < kRun; i++)
      if (q + i < Q) y[static_cast<int64_t>(line * Q + q + i) * K + k] = sum[i];
  }
}
EXPORT_KERNEL(conv_fprop_registers)
