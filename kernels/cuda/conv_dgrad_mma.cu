// conv_dgrad_mma: dx[n,h,w,c] = sum_{r,s,k : h = p*stride+r-pad, w = q*stride+s-pad} dy[n,p,q,k] * w[k,r,s,c]      (NHWC, KRSC, float32; products in tf32 or bf16)
// Grid:  x: tiles of 128 pixels of a parity class of dx, as many as the largest class has; y: tiles of 64 channels; z: the stride^2 classes; 128 threads,
//        72 KB of dynamic shared memory.      Builds for: sm_80 and later.
// Needs: C % 4 == 0, K % 4 == 0, R*S <= 16, 16-byte aligned buffers of fewer than 2^31 elements.
// Cost:  2*N*P*Q*K*R*S*C flop; reads the window of dy once a tile of channels, w once a tile of pixels (mostly from L2), writes dx once.
// Why:   as conv_fprop_mma; the pixels of a class meet the same taps, so that none is multiplied by zero. w is read as it lies, its channels across k.
#include "conv_mma.cuh"

KERNEL __launch_bounds__(kTileThreads, 3) conv_dgrad_mma_tf32(float* dx, const float* dy, const float* w, CONV_FIELDS) {
  dgrad<Mma<Tf32>>(dx, dy, w, Conv CONV_OF_FIELDS, Stored());
}
KERNEL __launch_bounds__(kTileThreads, 3) conv_dgrad_mma_bf16(float* dx, const float* dy, const float* w, CONV_FIELDS) {
  dgrad<Mma<Bf16>>(dx, dy, w, Conv CONV_OF_FIELDS, Stored());
}
EXPORT_KERNEL(conv_dgrad_mma_tf32)
EXPORT_KERNEL(conv_dgrad_mma_bf16)
