// conv_wgrad_tiled: dw[k,r,s,c] = sum_{n,p,q} x[n, p*stride+r-pad, q*stride+s-pad, c] * dy[n,p,q,k]      (NHWC, KRSC, float32)
// Grid:  x: tiles of 128 of a filter's R*S*C weights, y: tiles of 64 filters, z: parts of `part` pixels, part j's sum goes to sums[j]; 128 threads.
// Needs: C % 4 == 0, K % 4 == 0, R*S <= 16, 16-byte aligned buffers of fewer than 2^31 elements; part <= 4096 (kernels/ops.go: wgradBlock).
//        sums [parts,K,R,S,C] is the workspace, and dw itself where there is one part; else conv_wgrad_sum adds the parts up.      Builds for: sm_75 and later.
// Cost:  2*N*P*Q*K*R*S*C flop; reads x once a tile of filters and tap, dy once a tile of weights (mostly from L2); each part writes as much as dw holds.
// Why:   a filter has too few weights to fill the card, so the pixels are split as well. No atomics: the same bits in every run.
#include "conv_tiled.cuh"
#include "conv_wgrad_sum.cuh"

KERNEL __launch_bounds__(kTileThreads, 3) conv_wgrad_tiled(float* sums, const float* x, const float* dy, int32_t part, CONV_FIELDS) {
  wgrad<Tiled>(sums, x, dy, part, Conv CONV_OF_FIELDS);
}
EXPORT_KERNEL(conv_wgrad_tiled)
EXPORT_KERNEL(conv_wgrad_sum)
