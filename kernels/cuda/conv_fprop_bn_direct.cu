// conv_fprop_bn_direct: y = (conv_fprop(x, w) - mean) * (invstd*gamma) + beta [+ residual] [flag RELU: max(., 0)]      (NHWC, KRSC, float32)
// Grid:  one thread an output.      Needs: fewer than 2^31 elements each.      Builds for: sm_75 and later.
// Cost:  conv_fprop_direct's, and residual read once.
// Why:   plain loops: the readable reference, and for channels that are no multiple of 4.
#include "bn_forward.cuh"
#include "conv_direct.cuh"

KERNEL conv_fprop_bn_direct(float* y, const float* x, const float* w, const float* residual, BATCH_NORM_FIELDS, CONV_FIELDS) {
  const Conv conv = CONV_OF_FIELDS;
  const BatchNorm norm = BATCH_NORM_OF_FIELDS;
  const int64_t i = global_thread();
  if (i >= static_cast<int64_t>(conv.pixels()) * K) return;
  const auto normalise = norm.of_channels(static_cast<int32_t>(i % K), Single());
  y[i] = normalise(fprop_sum(x, w, i, conv), residual ? residual + i : nullptr);
}
EXPORT_KERNEL(conv_fprop_bn_direct)
