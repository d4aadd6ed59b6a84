// conv_fprop_bn_registers: y = (conv_fprop(x, w) - mean) * (invstd*gamma) + beta [+ residual] [flag RELU: max(., 0)], 3x3 taps of 3 channels      (NHWC, KRSC, float32)
// Grid:  as conv_fprop_registers.      Needs: as conv_fprop_registers.      Builds for: sm_75 and later.
// Cost:  conv_fprop_registers', and residual read once: what is not normalised is never in memory.
// Why:   bit for bit conv_fprop_registers, then bn_forward.
#include "bn_forward.cuh"
#include "conv_fprop_registers.cuh"

KERNEL __launch_bounds__(kThreads)
    conv_fprop_bn_registers(float* y, const float* x, const float* w, const float* residual, BATCH_NORM_FIELDS, CONV_FIELDS) {
  const Conv conv = CONV_OF_FIELDS;
  const BatchNorm norm = BATCH_NORM_OF_FIELDS;
  stem_line(x, w, conv, [=](int64_t at, int32_t count, const float(&sum)[kRun]) {
    const auto normalise = norm.of_channels(thread_k(), Single());
    float out[kRun];
#pragma unroll
    for (int i = 0; i < kRun; i++)
      if (i < count) out[i] = normalise(sum[i], residual ? residual + at + i * K : nullptr);
    store_run(y + at, out, count, K);
  });
}
EXPORT_KERNEL(conv_fprop_bn_registers)
