// conv_fprop_stats_registers: y = conv_fprop(x, w), 3x3 taps of 3 channels; mean, invstd and the running statistics as bn_stats makes them of y      (NHWC, KRSC, float32)
// Grid:  as conv_fprop_registers; bn_stats_merge adds up.      Builds for: sm_75 and later.
// Needs: as conv_fprop_registers; workspace: 16 bytes a channel and 4 rows of y.
// Cost:  conv_fprop_registers', of which y's statistics are made while the sums are in registers: y is not read.
// Why:   the moments of a row are put together run by run in float32, the rows' in double.
#include "bn_stats_merge.cuh"
#include "conv_fprop_registers.cuh"

// Moments of the row so far.
struct LineMoments {
  float count = 0, mean = 0, square = 0;

  // add puts those of a run to them (Chan, Golub and LeVeque 1983, eq. 2.1).
  DEVICE void add(const float (&run)[kRun], int32_t of_run) {
    const float n = static_cast<float>(of_run);
    float sum = 0, around = 0;
#pragma unroll
    for (int i = 0; i < kRun; i++)
      if (i < of_run) sum += run[i];
    const float about = sum / n;
#pragma unroll
    for (int i = 0; i < kRun; i++)
      if (i < of_run) around = fmaf(run[i] - about, run[i] - about, around);
    const float before = count, apart = about - mean;
    count += n;
    const float share = n / count;
    mean = fmaf(apart, share, mean);
    square += fmaf(apart * apart, before * share, around);
  }
};

// What store_task_moments (bn_stats.cuh) wants to know of the block's rows of y, of which `present` are there.
struct StemRows {
  static constexpr int kWidth = 1, kTile = kFilters;
  int32_t present, pixels, slot, tile;

  DEVICE int32_t column(int) const { return thread_filter(); }
  DEVICE int32_t rows_of(int32_t of_slot) const { return of_slot < present ? pixels : 0; }
};

KERNEL __launch_bounds__(kThreads) conv_fprop_stats_registers(double* partial, float* y, const float* x, const float* w, CONV_FIELDS) {
  const Conv conv = CONV_OF_FIELDS;
  LineMoments moments;
  stem_line(x, w, conv, [&](int64_t at, int32_t count, const float(&sum)[kRun]) {
    store_run(y + at, sum, count, K);
    moments.add(sum, count);
  });
  SHARED(double, slots, 2 * kStemSlots * kFilters);
  const StemRows rows = {N * P - static_cast<int32_t>(blockIdx.x) * kStemSlots, Q, thread_slot(), block_k0()};
  store_task_moments(rows, Pairs<kStemSlots, kFilters>{slots}, {partial, K}, [&](int) {
    return Moments{moments.count, moments.mean, moments.square};
  });
}
EXPORT_KERNEL(conv_fprop_stats_registers)
EXPORT_KERNEL(bn_stats_merge)
