// conv_wgrad_registers: dw[k,r,s,c] = sum_{n,p,q} x[n, p+r-1, q+s-1, c] * dy[n,p,q,k], 3x3 taps of 3 channels      (NHWC, KRSC, float32)
// Grid:  y: 64 filters, z: parts of `part` pixels, part j's sum goes to sums[j]; 256 threads, each has a filter at every fourth pixel of the part.
// Needs: R = S = C = 3, stride 1, pad 1, fewer than 2^31 elements each; part <= 4096 (kernels/ops.go: wgradBlock). sums [parts,K,R,S,C] is the workspace, and dw
//        itself where there is one part; else conv_wgrad_sum adds the parts up.      Builds for: sm_75 and later.
// Cost:  2*N*P*Q*K*27 flop; reads dy once, x from the caches.
// Why:   conv_registers.cuh; the block's four threads of a filter add their sums in a fixed order, so that there are fewer parts.
#include "conv_registers.cuh"
#include "conv_wgrad_sum.cuh"

KERNEL __launch_bounds__(kThreads) conv_wgrad_registers(float* sums, const float* x, const float* dy, int32_t part, CONV_FIELDS) {
  const Conv conv = CONV_OF_FIELDS;
  const int32_t k = block_k0() + thread_filter();
  const Part pixels(conv, part);
  const Radix radix = {P, Q};
  const Digits step = radix.digits(kStemSlots);
  int32_t pixel = pixels.first + thread_slot();
  Digits at = radix.digits(pixel);
  float sum[kWindow] = {};
  for (; k < K && pixel < pixels.end; pixel += kStemSlots, radix.add(at, step)) {
    const float gradient = dy[pixel * K + k];
#pragma unroll
    for (int r = 0; r < kTaps; r++) {
#pragma unroll
      for (int s = 0; s < kTaps; s++) {
        const int32_t row = conv.h(at.middle, r), column = conv.w(at.low, s);
        if (!conv.inside(row, column)) continue;
        const float* const seen = x + ((at.high * H + row) * W + column) * kChannels;
#pragma unroll
        for (int c = 0; c < kChannels; c++) {
          const int i = (r * kTaps + s) * kChannels + c;
          sum[i] = fmaf(seen[c], gradient, sum[i]);
        }
      }
    }
  }

  SHARED(float, slots, kStemSlots* kFilters* kWindow);
#pragma unroll
  for (int i = 0; i < kWindow; i++) slots[static_cast<int32_t>(threadIdx.x) * kWindow + i] = sum[i];  // 27 is odd: no bank twice
  __syncthreads();
  float* const out = Part::of(sums, conv) + block_k0() * kWindow;
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < block_weights(conv); i += kThreads) {
    float total = slots[i];
#pragma unroll
    for (int slot = 1; slot < kStemSlots; slot++) total += slots[slot * kFilters * kWindow + i];
    out[i] = total;
  }
}
EXPORT_KERNEL(conv_wgrad_registers)
EXPORT_KERNEL(conv_wgrad_sum)
