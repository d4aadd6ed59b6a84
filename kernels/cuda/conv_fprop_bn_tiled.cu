// conv_fprop_bn_tiled: y = (conv_fprop(x, w) - mean) * (invstd*gamma) + beta [+ residual] [flag RELU: max(., 0)]      (NHWC, KRSC, float32)
// Grid:  as conv_fprop_tiled.      Needs: as conv_fprop_tiled.      Builds for: sm_75 and later.
// Cost:  conv_fprop_tiled's, and residual read once: what is not normalised is never in memory.
// Why:   bit for bit conv_fprop_tiled, then bn_forward.
#include "conv_tiled.cuh"

KERNEL __launch_bounds__(kTileThreads, 3)
    conv_fprop_bn_tiled(float* y, const float* x, const float* w, const float* residual, BATCH_NORM_FIELDS, CONV_FIELDS) {
  fprop<Tiled>(y, x, w, Conv CONV_OF_FIELDS, Normalised{BATCH_NORM_OF_FIELDS, residual, y});
}
EXPORT_KERNEL(conv_fprop_bn_tiled)
