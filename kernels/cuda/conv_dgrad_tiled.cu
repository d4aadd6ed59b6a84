// conv_dgrad_tiled: dx[n,h,w,c] = sum_{r,s,k : h = p*stride+r-pad, w = q*stride+s-pad} dy[n,p,q,k] * w[k,r,s,c]      (NHWC, KRSC, float32)
// Grid:  x: tiles of 128 pixels of a parity class of dx, as many as the largest class has; y: tiles of 64 channels; z: the stride^2 classes; 128 threads.
// Needs: C % 4 == 0, K % 4 == 0, R*S <= 16, 16-byte aligned buffers of fewer than 2^31 elements.      Builds for: sm_75 and later.
// Cost:  2*N*P*Q*K*R*S*C flop; reads the window of dy once a tile of channels, w once a tile of pixels (mostly from L2), writes dx once.
// Why:   the pixels of a class meet the same taps, so that none is multiplied by zero; a class without taps (1x1, stride 2) is written as zeros.
#include "conv_tiled.cuh"

KERNEL __launch_bounds__(kTileThreads, 3) conv_dgrad_tiled(float* dx, const float* dy, const float* w, CONV_FIELDS) {
  dgrad<Tiled>(dx, dy, w, Conv CONV_OF_FIELDS, Stored());
}
EXPORT_KERNEL(conv_dgrad_tiled)
