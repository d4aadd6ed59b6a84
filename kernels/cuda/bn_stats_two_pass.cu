// bn_stats_two_pass: mean = avg x, var = avg (x-mean)^2, invstd = 1/sqrt(var+eps); running_mean += momentum*(mean-running_mean),
// running_var += momentum*(var*M/(M-1)-running_var), M = rows; num_batches_tracked += 1.      x [rows,c]; the others [c]
// Each thread holds eight rows in registers and goes over them twice: for their mean, then for the squared differences from it; x itself is read once. Threads and
// tasks are put together in double.
// Grid:  bn_stats_two_pass: a task of 128 rows by a tile of 16 loads of columns; bn_stats_merge adds them up.
// Needs: 16-byte aligned x; workspace: 16 bytes a task and channel.      Builds for: sm_75 and later.
// Cost:  x read once, bound by memory.
#include "bn_stats_merge.cuh"

constexpr int kRows = 8;

template <typename At>
DEVICE void task_moments(const float* x, const SlotPairs& slots, const Partial& partial, int64_t rows, int32_t c) {
  const Column<At> at(rows, kRows * kSlots, c);
  const int32_t count = at.rows();
  typename Column<At>::Value value[kRows];
  for (int r = 0; r < kRows; r++)
    if (r < count) value[r] = At::load(x + at.at(r));
  store_task_moments(at, slots, partial, [&](int i) { return two_pass_moments<kRows>(count, [&](int r) { return part(value[r], i); }); });
}

KERNEL bn_stats_two_pass(double* partial, const float* x, int64_t rows, int32_t c) {
  SHARED(double, shared, SlotPairs::kDoubles);
  if (c % 4 == 0)
    task_moments<Vector4>(x, {shared}, {partial, c}, rows, c);
  else
    task_moments<Single>(x, {shared}, {partial, c}, rows, c);
}
EXPORT_KERNEL(bn_stats_two_pass)
EXPORT_KERNEL(bn_stats_merge)
