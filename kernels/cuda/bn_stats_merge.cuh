// bn_stats_merge: statistics of a batch, and the running ones, from the moments that `tasks` tasks of task_rows rows each left in the workspace: the second launch of
// every bn_stats and conv_fprop_stats.      mean, invstd, running_mean, running_var [c]
// Grid:  16 channels; 512 threads.      Cost:  the workspace read twice, from the caches the second time: 16 bytes a task and channel.
#ifndef NCTRAIN_BN_STATS_MERGE_CUH
#define NCTRAIN_BN_STATS_MERGE_CUH
#include "bn_stats.cuh"

struct BatchNormStats {
  float *mean, *invstd, *running_mean, *running_var;
  int64_t* num_batches_tracked;
  double eps, momentum;

  DEVICE void store(int32_t channel, const Moments& m) const {
    const double old_mean = running_mean[channel], old_var = running_var[channel];
    mean[channel] = static_cast<float>(m.mean);
    invstd[channel] = static_cast<float>(1 / sqrt(m.square / m.count + eps));
    running_mean[channel] = static_cast<float>(old_mean + momentum * (m.mean - old_mean));
    running_var[channel] = static_cast<float>(old_var + momentum * (m.square / (m.count > 1 ? m.count - 1 : 1) - old_var));
  }
};

KERNEL bn_stats_merge(float* mean, float* invstd, float* running_mean, float* running_var, int64_t* num_batches_tracked, double* workspace,
                      double eps, double momentum, int64_t rows, int32_t c, int32_t task_rows, int32_t tasks) {
  SHARED(double, shared, FoldPairs::kDoubles);
  const BatchNormStats stats = {mean, invstd, running_mean, running_var, num_batches_tracked, eps, momentum};
  const Partial partial = {workspace, c};
  const FoldPairs slots = {shared};
  const int32_t column = static_cast<int32_t>(threadIdx.x) % kLanes, slot = static_cast<int32_t>(threadIdx.x) / kLanes;
  const int32_t channel = static_cast<int32_t>(blockIdx.x) * kLanes + column;
  // Slot s folds the tasks s, s + kFoldSlots, ...; the last of all tasks may be short.
  const auto tasks_of = [=](int32_t s) { return s < tasks ? (tasks - s + kFoldSlots - 1) / kFoldSlots : 0; };
  const auto rows_of = [=](int32_t of_tasks, bool last) {
    return static_cast<double>(static_cast<int64_t>(of_tasks) * task_rows - (last ? static_cast<int64_t>(tasks) * task_rows - rows : 0));
  };
  if (channel < c) {
    const Moments m = together(tasks_of(slot), [&](int32_t i) {
      const int32_t task = slot + i * kFoldSlots;
      return Moments{rows_of(1, task == tasks - 1), partial.first(task, channel), partial.second(task, channel)};
    });
    slots.put(slot, column, m.mean, m.square);
  }
  __syncthreads();
  if (slot == 0 && channel < c) {
    stats.store(channel, together(kFoldSlots, [&](int32_t s) {
                  return Moments{rows_of(tasks_of(s), s == (tasks - 1) % kFoldSlots), slots.first(s, column), slots.second(s, column)};
                }));
  }
  if (blockIdx.x == 0 && threadIdx.x == 0) *stats.num_batches_tracked += 1;
}

#endif
