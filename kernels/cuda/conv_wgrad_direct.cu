// conv_wgrad_direct: dw[k,r,s,c] = sum_{n,p,q} x[n, p*stride+r-pad, q*stride+s-pad, c] * dy[n,p,q,k]      (NHWC, KRSC, float32)
// Grid:  x: one thread an element of dw, neighbours are channels of x; z: parts of `part` pixels each, part j's sum goes to sums[j].      Builds for: sm_75 and later.
// Needs: fewer than 2^31 elements each; part <= 4096 (kernels/ops.go: wgradBlock). sums [parts,K,R,S,C] is the workspace, and dw itself where there is one part;
//        else conv_wgrad_sum adds the parts up.
// Cost:  2*N*P*Q*K*R*S*C flop, each with two loads, from the caches in the main; each part writes as much as dw holds.
// Why:   plain loops: the readable reference, and for channels that are no multiple of 4, as the stem's. No atomics: the same bits in every run.
#include "conv.cuh"
#include "conv_wgrad_sum.cuh"

KERNEL conv_wgrad_direct(float* sums, const float* x, const float* dy, int32_t part, CONV_FIELDS) {
  const Conv conv = CONV_OF_FIELDS;
  if (global_thread() >= K * conv.window()) return;
  const int32_t i = static_cast<int32_t>(global_thread());
  const Digits tap = Radix{S, C}.digits(i % conv.window());
  const int32_t k = i / conv.window();
  const Part pixels(conv, part);
  const Radix radix = {P, Q};
  Digits at = radix.digits(pixels.first);
  float sum = 0.0f;
  for (int32_t pixel = pixels.first; pixel < pixels.end; pixel++, radix.add(at, {0, 0, 1})) {
    const int32_t row = conv.h(at.middle, tap.high), column = conv.w(at.low, tap.middle);
    if (conv.inside(row, column)) sum = fmaf(x[((at.high * H + row) * W + column) * C + tap.low], dy[pixel * K + k], sum);
  }
  Part::of(sums, conv)[i] = sum;
}
EXPORT_KERNEL(conv_wgrad_direct)
EXPORT_KERNEL(conv_wgrad_sum)
