// conv_fprop_direct: y[n,p,q,k] = sum_{r,s,c} x[n, p*stride+r-pad, q*stride+s-pad, c] * w[k,r,s,c]      (NHWC, KRSC, float32)
// Grid:  one thread an output; neighbours are channels, and so read the same pixels.      Needs: fewer than 2^31 elements each.      Builds for: sm_75 and later.
// Cost:  2*N*P*Q*K*R*S*C flop, each with two loads, from the caches in the main.
// Why:   plain loops: the readable reference, and for channels that are no multiple of 4, as the stem's.
#include "conv.cuh"

KERNEL conv_fprop_direct(float* y, const float* x, const float* w, CONV_FIELDS) {
  const Conv conv = CONV_OF_FIELDS;
  const int64_t i = global_thread();
  if (i >= static_cast<int64_t>(conv.pixels()) * K) return;
  const Digits at = Radix{P, Q}.digits(static_cast<int32_t>(i / K));
  const int32_t k = static_cast<int32_t>(i % K);
  float sum = 0.0f;
  for (int32_t r = 0; r < R; r++) {
    for (int32_t s = 0; s < S; s++) {
      const int32_t row = conv.h(at.middle, r), column = conv.w(at.low, s);
      if (!conv.inside(row, column)) continue;
      const float* const pixel = x + ((at.high * H + row) * W + column) * C;
      const float* const tap = w + ((k * R + r) * S + s) * C;
      for (int32_t c = 0; c < C; c++) sum = fmaf(pixel[c], tap[c], sum);
    }
  }
  y[i] = sum;
}
EXPORT_KERNEL(conv_fprop_direct)
