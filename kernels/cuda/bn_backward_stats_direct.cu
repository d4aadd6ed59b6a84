// bn_backward_stats_direct: g = dy [flag RELU: where y > 0, else 0]; dbeta = sum g, dgamma = sum g*(x-mean)*invstd.      dy, y, x [rows,c]; the others [c]
// The mask is y itself: bit for bit the sequence relu_backward, bn_backward_stats.
// Each thread sums eight rows in float32; threads and tasks are added up in double.
// Grid:  bn_backward_stats_direct: a task of 128 rows by a tile of 16 loads of columns; bn_backward_stats_direct_merge: 16 columns.
// Needs: 16-byte aligned dy, y, x; workspace: 16 bytes a task and channel.      Builds for: sm_75 and later.
// Cost:  dy, x (and y) read once, bound by memory.
#include "reduce.cuh"

constexpr int kRows = 8;

template <typename At>
DEVICE void task_sums(const float* dy, const float* y, const float* x, const float* mean, const SlotPairs& slots, const Partial& partial,
                      int64_t rows, int32_t c) {
  const Column<At> at(rows, kRows * kSlots, c);
  const int32_t count = at.rows();
  float sum[Column<At>::kWidth] = {}, product[Column<At>::kWidth] = {};
  if (count > 0) {
    const auto center = At::load(mean + at.tile + at.within);
    for (int r = 0; r < kRows; r++) {
      if (r >= count) continue;
      auto g = At::load(dy + at.at(r));
      if (y) g = each([](float a, float b) { return relu_gradient(a, b); }, g, At::load(y + at.at(r)));
      const auto centred = each([](float a, float b) { return a - b; }, At::load(x + at.at(r)), center);
      for (int i = 0; i < at.kWidth; i++) {
        sum[i] += part(g, i);
        product[i] = fmaf(part(g, i), part(centred, i), product[i]);
      }
    }
  }
  store_task(
      at, slots, partial,
      [&](int i) {
        return Pair{sum[i], product[i]};
      },
      [&](int32_t column) { return slots.sum(column); });
}

KERNEL bn_backward_stats_direct(double* partial, const float* dy, const float* y, const float* x, const float* mean, int64_t rows, int32_t c,
                                uint32_t flags) {
  SHARED(double, shared, SlotPairs::kDoubles);
  const float* const mask = flags & FLAG_RELU ? y : nullptr;
  if (c % 4 == 0)
    task_sums<Vector4>(dy, mask, x, mean, {shared}, {partial, c}, rows, c);
  else
    task_sums<Single>(dy, mask, x, mean, {shared}, {partial, c}, rows, c);
}
EXPORT_KERNEL(bn_backward_stats_direct)

KERNEL bn_backward_stats_direct_merge(float* dgamma, float* dbeta, double* workspace, const float* invstd, int32_t c, int32_t tasks) {
  SHARED(double, shared, FoldPairs::kDoubles);
  const Partial partial = {workspace, c};
  const FoldPairs slots = {shared};
  const int32_t column = static_cast<int32_t>(threadIdx.x) % kLanes, slot = static_cast<int32_t>(threadIdx.x) / kLanes;
  const int32_t channel = static_cast<int32_t>(blockIdx.x) * kLanes + column;
  if (channel < c) {
    double sum = 0, product = 0;
    for (int32_t task = slot; task < tasks; task += kFoldSlots) {
      sum += partial.first(task, channel);
      product += partial.second(task, channel);
    }
    slots.put(slot, column, sum, product);
  }
  __syncthreads();
  if (slot != 0 || channel >= c) return;
  const Pair total = slots.sum(column);
  dbeta[channel] = static_cast<float>(total.first);
  dgamma[channel] = static_cast<float>(total.second * static_cast<double>(invstd[channel]));
}
EXPORT_KERNEL(bn_backward_stats_direct_merge)
