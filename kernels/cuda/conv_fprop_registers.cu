// conv_fprop_registers: y[n,p,q,k] = sum_{r,s,c} x[n, p+r-1, q+s-1, c] * w[k,r,s,c], 3x3 taps of 3 channels      (NHWC, KRSC, float32)
// Grid:  x: 4 rows of y, y: 64 channels; 256 threads, each has a channel of a row.      Builds for: sm_75 and later.
// Needs: R = S = C = 3, stride 1, pad 1, fewer than 2^31 elements each.
// Cost:  2*N*P*Q*K*27 flop; writes y once, which binds it: x and w come from the caches.
// Why:   conv_registers.cuh; a pixel that is loaded serves three windows of each of its row's three.
#include "conv_fprop_registers.cuh"

KERNEL __launch_bounds__(kThreads) conv_fprop_registers(float* y, const float* x, const float* w, CONV_FIELDS) {
  const Conv conv = CONV_OF_FIELDS;
  stem_line(x, w, conv, [=](int64_t at, int32_t count, const float(&sum)[kRun]) { store_run(y + at, sum, count, K); });
}
EXPORT_KERNEL(conv_fprop_registers)
