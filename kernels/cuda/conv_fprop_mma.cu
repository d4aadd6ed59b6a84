// conv_fprop_mma: y[n,p,q,k] = sum_{r,s,c} x[n, p*stride+r-pad, q*stride+s-pad, c] * w[k,r,s,c]      (NHWC, KRSC, float32; products in tf32 or bf16)
// Grid:  x: tiles of 128 pixels of y, y: tiles of 64 channels; 128 threads, 72 KB of dynamic shared memory.      Builds for: sm_80 and later.
// Needs: C % 4 == 0, K % 4 == 0, R*S <= 16, 16-byte aligned buffers of fewer than 2^31 elements.
// Cost:  2*N*P*Q*K*R*S*C flop; reads the window of x once a tile of channels, w once a tile of pixels (mostly from L2), writes y once.
// Why:   the tensor cores multiply; the copies of the next two steps' tiles are under way meanwhile and pass through no register.
#include "conv_mma.cuh"

KERNEL __launch_bounds__(kTileThreads, 3) conv_fprop_mma_tf32(float* y, const float* x, const float* w, CONV_FIELDS) {
  fprop<Mma<Tf32>>(y, x, w, Conv CONV_OF_FIELDS, Stored());
}
KERNEL __launch_bounds__(kTileThreads, 3) conv_fprop_mma_bf16(float* y, const float* x, const float* w, CONV_FIELDS) {
  fprop<Mma<Bf16>>(y, x, w, Conv CONV_OF_FIELDS, Stored());
}
EXPORT_KERNEL(conv_fprop_mma_tf32)
EXPORT_KERNEL(conv_fprop_mma_bf16)
