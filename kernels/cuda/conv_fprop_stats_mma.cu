// conv_fprop_stats_mma: y = conv_fprop(x, w); mean, invstd and the running statistics as bn_stats makes them of y      (NHWC, KRSC, float32; products in tf32 or bf16)
// Grid:  as conv_fprop_mma; bn_stats_merge adds up.      Builds for: sm_80 and later.
// Needs: as conv_fprop_mma; workspace: 16 bytes a tile of pixels and channel.
// Cost:  conv_fprop_mma's, of which y's statistics are made while the sums are in registers: y is not read.
// Why:   each lane has eight rows of its columns, as a thread of bn_stats_two_pass has, and goes on as that does.
#include "bn_stats_merge.cuh"
#include "conv_mma.cuh"

KERNEL __launch_bounds__(kTileThreads, 3) conv_fprop_stats_mma_tf32(double* partial, float* y, const float* x, const float* w, CONV_FIELDS) {
  fprop_stats<Mma<Tf32>>(partial, y, x, w, Conv CONV_OF_FIELDS);
}
KERNEL __launch_bounds__(kTileThreads, 3) conv_fprop_stats_mma_bf16(double* partial, float* y, const float* x, const float* w, CONV_FIELDS) {
  fprop_stats<Mma<Bf16>>(partial, y, x, w, Conv CONV_OF_FIELDS);
}
EXPORT_KERNEL(conv_fprop_stats_mma_tf32)
EXPORT_KERNEL(conv_fprop_stats_mma_bf16)
EXPORT_KERNEL(bn_stats_merge)
