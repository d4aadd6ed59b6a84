// bn_stats_welford: mean = avg x, var = avg (x-mean)^2, invstd = 1/sqrt(var+eps); running_mean += momentum*(mean-running_mean),
// running_var += momentum*(var*M/(M-1)-running_var), M = rows; num_batches_tracked += 1.      x [rows,c]; the others [c]
// Each thread updates mean and squared differences row by row (Welford 1962): one value is held at a time, for one more rounding of the mean a row.
// Threads and tasks are put together in double.
// Grid:  bn_stats_welford: a task of 256 rows by a tile of 16 loads of columns; bn_stats_merge adds them up.
// Needs: 16-byte aligned x; workspace: 16 bytes a task and channel.      Builds for: sm_75 and later.
// Cost:  x read once, bound by memory.
#include "bn_stats_merge.cuh"

constexpr int kRows = 16;

template <typename At>
DEVICE void task_moments(const float* x, const SlotPairs& slots, const Partial& partial, int64_t rows, int32_t c) {
  const Column<At> at(rows, kRows * kSlots, c);
  const int32_t count = at.rows();
  float mean[Column<At>::kWidth] = {}, square[Column<At>::kWidth] = {};
  for (int r = 0; r < count; r++) {
    const auto value = At::load(x + at.at(r));
    const float share = 1.0f / static_cast<float>(r + 1);
    for (int i = 0; i < at.kWidth; i++) {
      const float d = part(value, i) - mean[i];
      mean[i] = fmaf(d, share, mean[i]);
      square[i] = fmaf(d, part(value, i) - mean[i], square[i]);
    }
  }
  store_task_moments(at, slots, partial, [&](int i) { return Moments{static_cast<double>(count), mean[i], square[i]}; });
}

KERNEL bn_stats_welford(double* partial, const float* x, int64_t rows, int32_t c) {
  SHARED(double, shared, SlotPairs::kDoubles);
  if (c % 4 == 0)
    task_moments<Vector4>(x, {shared}, {partial, c}, rows, c);
  else
    task_moments<Single>(x, {shared}, {partial, c}, rows, c);
}
EXPORT_KERNEL(bn_stats_welford)
EXPORT_KERNEL(bn_stats_merge)
