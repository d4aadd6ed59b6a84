// conv_dgrad_add_mma: dx[n,h,w,c] += sum_{r,s,k : h = p*stride+r-pad, w = q*stride+s-pad} dy[n,p,q,k] * w[k,r,s,c]      (NHWC, KRSC, float32; products in tf32 or bf16)
// Grid:  as conv_dgrad_mma.      Needs: as conv_dgrad_mma.      Builds for: sm_80 and later.
// Cost:  conv_dgrad_mma's, and dx read once; a parity class that no tap meets (1x1, stride 2) is neither read nor written.
// Why:   the sum is added where the other gradient lies, instead of a pass over both.
#include "conv_mma.cuh"

KERNEL __launch_bounds__(kTileThreads, 3) conv_dgrad_add_mma_tf32(float* dx, const float* dy, const float* w, CONV_FIELDS) {
  dgrad<Mma<Tf32>>(dx, dy, w, Conv CONV_OF_FIELDS, Added());
}
KERNEL __launch_bounds__(kTileThreads, 3) conv_dgrad_add_mma_bf16(float* dx, const float* dy, const float* w, CONV_FIELDS) {
  dgrad<Mma<Bf16>>(dx, dy, w, Conv CONV_OF_FIELDS, Added());
}
EXPORT_KERNEL(conv_dgrad_add_mma_tf32)
EXPORT_KERNEL(conv_dgrad_add_mma_bf16)
