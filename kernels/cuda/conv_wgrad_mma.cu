// conv_wgrad_mma: dw[k,r,s,c] = sum_{n,p,q} x[n, p*stride+r-pad, q*stride+s-pad, c] * dy[n,p,q,k]      (NHWC, KRSC, float32; products in tf32 or bf16)
// Grid:  x: tiles of 128 of a filter's R*S*C weights, y: tiles of 64 filters, z: parts of `part` pixels, part j's sum goes to sums[j]; 128 threads,
//        72 KB of dynamic shared memory.      Builds for: sm_80 and later.
// Needs: C % 4 == 0, K % 4 == 0, R*S <= 16, 16-byte aligned buffers of fewer than 2^31 elements; part <= 4096 (kernels/ops.go: wgradBlock).
//        sums [parts,K,R,S,C] is the workspace, and dw itself where there is one part; else conv_wgrad_sum adds the parts up.
// Cost:  2*N*P*Q*K*R*S*C flop; reads x once a tile of filters and tap, dy once a tile of weights (mostly from L2); each part writes as much as dw holds.
// Why:   as conv_fprop_mma; both operands' channels lie across k, the pixels, and are loaded from shared memory one by one, without bank conflicts.
#include "conv_mma.cuh"
#include "conv_wgrad_sum.cuh"

KERNEL __launch_bounds__(kTileThreads, 3) conv_wgrad_mma_tf32(float* sums, const float* x, const float* dy, int32_t part, CONV_FIELDS) {
  wgrad<Mma<Tf32>>(sums, x, dy, part, Conv CONV_OF_FIELDS);
}
KERNEL __launch_bounds__(kTileThreads, 3) conv_wgrad_mma_bf16(float* sums, const float* x, const float* dy, int32_t part, CONV_FIELDS) {
  wgrad<Mma<Bf16>>(sums, x, dy, part, Conv CONV_OF_FIELDS);
}
EXPORT_KERNEL(conv_wgrad_mma_tf32)
EXPORT_KERNEL(conv_wgrad_mma_bf16)
EXPORT_KERNEL(conv_wgrad_sum)
