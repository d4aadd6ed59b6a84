// conv_dgrad_add_tiled: dx[n,h,w,c] += sum_{r,s,k : h = p*stride+r-pad, w = q*stride+s-pad} dy[n,p,q,k] * w[k,r,s,c]      (NHWC, KRSC, float32)
// Grid:  as conv_dgrad_tiled.      Needs: as conv_dgrad_tiled.      Builds for: sm_75 and later.
// Cost:  conv_dgrad_tiled's, and dx read once; a parity class that no tap meets (1x1, stride 2) is neither read nor written.
// Why:   the sum is added where the other gradient lies, instead of a pass over both.
#include "conv_tiled.cuh"

KERNEL __launch_bounds__(kTileThreads, 3) conv_dgrad_add_tiled(float* dx, const float* dy, const float* w, CONV_FIELDS) {
  dgrad<Tiled>(dx, dy, w, Conv CONV_OF_FIELDS, Added());
}
EXPORT_KERNEL(conv_dgrad_add_tiled)
