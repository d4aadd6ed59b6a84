// conv_dgrad_direct: dx[n,h,w,c] = sum_{r,s,k : h = p*stride+r-pad, w = q*stride+s-pad} dy[n,p,q,k] * w[k,r,s,c]      (NHWC, KRSC, float32)
// Grid:  one thread an element of dx; neighbours are channels, and so read the same pixels of dy.      Needs: fewer than 2^31 elements each.      Builds for: sm_75 and later.
// Cost:  2*N*P*Q*K*R*S*C flop, each with two loads, from the caches in the main.
// Why:   plain loops: the readable reference, and for channels that are no multiple of 4.
#include "conv.cuh"

KERNEL conv_dgrad_direct(float* dx, const float* dy, const float* w, CONV_FIELDS) {
  const int64_t i = global_thread();
  if (i >= static_cast<int64_t>(N) * H * W * C) return;
  const Digits at = Radix{H, W}.digits(static_cast<int32_t>(i / C));
  const int32_t c = static_cast<int32_t>(i % C);
  float sum = 0.0f;
  for (int32_t r = 0; r < R; r++) {
    for (int32_t s = 0; s < S; s++) {
      const int32_t down = at.middle + pad - r, right = at.low + pad - s;  // p*stride and q*stride, where there are such
      if (down < 0 || right < 0 || down % stride != 0 || right % stride != 0 || down / stride >= P || right / stride >= Q) continue;
      const float* const pixel = dy + ((at.high * P + down / stride) * Q + right / stride) * K;
      const float* const tap = w + (r * S + s) * C + c;
      for (int32_t k = 0; k < K; k++) sum = fmaf(pixel[k], tap[k * R * S * C], sum);
    }
  }
  dx[i] = sum;
}
EXPORT_KERNEL(conv_dgrad_direct)
