// conv_fprop_tiled: y[n,p,q,k] = sum_{r,s,c} x[n, p*stride+r-pad, q*stride+s-pad, c] * w[k,r,s,c]      (NHWC, KRSC, float32)
// Grid:  x: tiles of 128 pixels of y, y: tiles of 64 channels; 128 threads.      Builds for: sm_75 and later.
// Needs: C % 4 == 0, K % 4 == 0, R*S <= 16, 16-byte aligned buffers of fewer than 2^31 elements.
// Cost:  2*N*P*Q*K*R*S*C flop; reads the window of x once a tile of channels, w once a tile of pixels (mostly from L2), writes y once.
// Why:   a number that is brought to shared memory serves 64 or 128 products, one that is loaded from there 8.
#include "conv_tiled.cuh"

KERNEL __launch_bounds__(kTileThreads, 3) conv_fprop_tiled(float* y, const float* x, const float* w, CONV_FIELDS) {
  fprop<Tiled>(y, x, w, Conv CONV_OF_FIELDS, Stored());
}
EXPORT_KERNEL(conv_fprop_tiled)
