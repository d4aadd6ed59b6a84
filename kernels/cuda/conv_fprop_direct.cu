// conv_fprop_direct: y[n,p,q,k] = sum_{r,s,c} x[n, p*stride+r-pad, q*stride+s-pad, c] * w[k,r,s,c]      (NHWC, KRSC, float32)
// Grid:  one thread an output; neighbours are channels, and so read the same pixels.      Needs: fewer than 2^31 elements each.      Builds for: sm_75 and later.
// Cost:  2*N*P*Q*K*R*S*C flop, each with two loads, from the caches in the main.
// Why:   plain loops: the readable reference, and for channels that are no multiple of 4, as the stem's.
#include "conv_direct.cuh"

KERNEL conv_fprop_direct(float* y, const float* x, const float* w, CONV_FIELDS) {
  const Conv conv = CONV_OF_FIELDS;
  const int64_t i = global_thread();
  if (i < static_cast<int64_t>(conv.pixels()) * K) y[i] = fprop_sum(x, w, i, conv);
}
EXPORT_KERNEL(conv_fprop_direct)
