// conv_fprop_stats_tiled: y = conv_fprop(x, w); mean, invstd and the running statistics as bn_stats makes them of y      (NHWC, KRSC, float32)
// Grid:  as conv_fprop_tiled; bn_stats_merge adds up.      Builds for: sm_75 and later.
// Needs: as conv_fprop_tiled; workspace: 16 bytes a tile of pixels and channel.
// Cost:  conv_fprop_tiled's, of which y's statistics are made while the sums are in registers: y is not read.
// Why:   each thread has eight rows of its columns, as one of bn_stats_two_pass has, and goes on as that does.
#include "bn_stats_merge.cuh"
#include "conv_tiled.cuh"

KERNEL __launch_bounds__(kTileThreads, 3) conv_fprop_stats_tiled(double* partial, float* y, const float* x, const float* w, CONV_FIELDS) {
  fprop_stats<Tiled>(partial, y, x, w, Conv CONV_OF_FIELDS);
}
EXPORT_KERNEL(conv_fprop_stats_tiled)
EXPORT_KERNEL(bn_stats_merge)
