// What the stem's forward convolutions share: a thread's row of y, in runs of pixels whose windows overlap.
#ifndef NCTRAIN_CONV_FPROP_REGISTERS_CUH
#define NCTRAIN_CONV_FPROP_REGISTERS_CUH
#include "conv_registers.cuh"

constexpr int kRun = 8;

DEVICE int32_t thread_k() { return block_k0() + thread_filter(); }
DEVICE int32_t thread_line() { return static_cast<int32_t>(blockIdx.x) * kStemSlots + thread_slot(); }

// stem_line calls put(at, count, sum) for each run of the thread's row and channel of y: sum[0] to sum[count - 1] belong at y[at], y[at + K], ...
template <typename Put>
DEVICE void stem_line(const float* x, const float* w, const Conv& conv, Put put) {
  SHARED(float, filters, kFilters* kWindow);
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < block_weights(conv); i += kThreads) filters[i] = w[block_k0() * kWindow + i];
  __syncthreads();

  const int32_t k = thread_k(), line = thread_line();
  if (k >= conv.K || line >= conv.N * conv.P) return;
  const int32_t n = line / conv.P, p = line % conv.P;
  float weights[kWindow];
#pragma unroll
  for (int i = 0; i < kWindow; i++) weights[i] = filters[thread_filter() * kWindow + i];  // 27 is odd: no bank twice

  for (int32_t q = 0; q < conv.Q; q += kRun) {
    float sum[kRun] = {};
#pragma unroll
    for (int r = 0; r < kTaps; r++) {
      const int32_t row = conv.h(p, r);
      if (!Conv::within(row, conv.H)) continue;
#pragma unroll
      for (int j = 0; j < kRun + kTaps - 1; j++) {
        const int32_t column = conv.w(q, j);
        if (!Conv::within(column, conv.W)) continue;
        const float* const pixel = x + ((n * conv.H + row) * conv.W + column) * kChannels;
#pragma unroll
        for (int c = 0; c < kChannels; c++) {
          const float value = pixel[c];
#pragma unroll
          for (int s = 0; s < kTaps; s++)
            if (j - s >= 0 && j - s < kRun) sum[j - s] = fmaf(value, weights[(r * kTaps + s) * kChannels + c], sum[j - s]);
        }
      }
    }
    put(static_cast<int64_t>(line * conv.Q + q) * conv.K + k, conv.Q - q < kRun ? conv.Q - q : kRun, sum);
  }
}

DEVICE void store_run(float* y, const float (&sum)[kRun], int32_t count, int32_t K) {
#pragma unroll
  for (int i = 0; i < kRun; i++)
    if (i < count) y[i * K] = sum[i];
}

#endif
