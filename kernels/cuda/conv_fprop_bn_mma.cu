// conv_fprop_bn_mma: y = (conv_fprop(x, w) - mean) * (invstd*gamma) + beta [+ residual] [flag RELU: max(., 0)]      (NHWC, KRSC, float32; products in tf32 or bf16)
// Grid:  as conv_fprop_mma.      Needs: as conv_fprop_mma.      Builds for: sm_80 and later.
// Cost:  conv_fprop_mma's, and residual read once: what is not normalised is never in memory.
// Why:   bit for bit conv_fprop_mma, then bn_forward.
#include "conv_mma.cuh"

KERNEL __launch_bounds__(kTileThreads, 3)
    conv_fprop_bn_mma_tf32(float* y, const float* x, const float* w, const float* residual, BATCH_NORM_FIELDS, CONV_FIELDS) {
  fprop<Mma<Tf32>>(y, x, w, Conv CONV_OF_FIELDS, Normalised{BATCH_NORM_OF_FIELDS, residual, y});
}
KERNEL __launch_bounds__(kTileThreads, 3)
    conv_fprop_bn_mma_bf16(float* y, const float* x, const float* w, const float* residual, BATCH_NORM_FIELDS, CONV_FIELDS) {
  fprop<Mma<Bf16>>(y, x, w, Conv CONV_OF_FIELDS, Normalised{BATCH_NORM_OF_FIELDS, residual, y});
}
EXPORT_KERNEL(conv_fprop_bn_mma_tf32)
EXPORT_KERNEL(conv_fprop_bn_mma_bf16)
