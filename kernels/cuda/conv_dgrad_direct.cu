// conv_dgrad_direct: dx[n,h,w,c] = sum_{r,s,k : h = p*stride+r-pad, w = q*stride+s-pad} dy[n,p,q,k] * w[k,r,s,c]      (NHWC, KRSC, float32)
// Grid:  one thread an element of dx; neighbours are channels, and so read the same pixels of dy.      Needs: fewer than 2^31 elements each.      Builds for: sm_75 and later.
// Cost:  2*N*P*Q*K*R*S*C flop, each with two loads, from the caches in the main.
// Why:   plain loops: the readable reference, and for channels that are no multiple of 4.
#include "conv_direct.cuh"

KERNEL conv_dgrad_direct(float* dx, const float* dy, const float* w, CONV_FIELDS) {
  const int64_t i = global_thread();
  if (i < static_cast<int64_t>(N) * H * W * C) dx[i] = dgrad_sum(dy, w, i, Conv CONV_OF_FIELDS);
}
EXPORT_KERNEL(conv_dgrad_direct)
