// The sums of the direct convolutions: plain loops, one thread an element.
#ifndef NCTRAIN_CONV_DIRECT_CUH
#define NCTRAIN_CONV_DIRECT_CUH
#include "conv.cuh"

// fprop_sum is y's i-th element.
DEVICE float fprop_sum(const float* x, const float* w, int64_t i, const Conv& conv) {
  const Digits at = Radix{conv.P, conv.Q}.digits(static_cast<int32_t>(i / conv.K));
  const int32_t k = static_cast<int32_t>(i % conv.K);
  float sum = 0.0f;
  for (int32_t r = 0; r < conv.R; r++) {
    for (int32_t s = 0; s < conv.S; s++) {
      const int32_t row = conv.h(at.middle, r), column = conv.w(at.low, s);
      if (!conv.inside(row, column)) continue;
      const float* const pixel = x + ((at.high * conv.H + row) * conv.W + column) * conv.C;
      const float* const tap = w + ((k * conv.R + r) * conv.S + s) * conv.C;
      for (int32_t c = 0; c < conv.C; c++) sum = fmaf(pixel[c], tap[c], sum);
    }
  }
  return sum;
}

// dgrad_sum is dx's i-th element.
DEVICE float dgrad_sum(const float* dy, const float* w, int64_t i, const Conv& conv) {
  const Digits at = Radix{conv.H, conv.W}.digits(static_cast<int32_t>(i / conv.C));
  const int32_t c = static_cast<int32_t>(i % conv.C), stride = conv.stride;
  float sum = 0.0f;
  for (int32_t r = 0; r < conv.R; r++) {
    for (int32_t s = 0; s < conv.S; s++) {
      const int32_t down = at.middle + conv.pad - r, right = at.low + conv.pad - s;  // p*stride and q*stride, where there are such
      if (down < 0 || right < 0 || down % stride != 0 || right % stride != 0 || down / stride >= conv.P || right / stride >= conv.Q) continue;
      const float* const pixel = dy + ((at.high * conv.P + down / stride) * conv.Q + right / stride) * conv.K;
      const float* const tap = w + (r * conv.S + s) * conv.C + c;
      for (int32_t k = 0; k < conv.K; k++) sum = fmaf(pixel[k], tap[k * conv.window()], sum);
    }
  }
  return sum;
}

#endif
