// What the variants of bn_stats share: moments, how they are put together, and what becomes of them.
#ifndef NCTRAIN_BN_STATS_CUH
#define NCTRAIN_BN_STATS_CUH
#include "reduce.cuh"

// Moments of a sample: how many values, their mean, and the sum of squared differences from it.
struct Moments {
  double count, mean, square;
};

// together is the moments of disjoint samples as those of one: of two, Chan, Golub and LeVeque 1983, eq. 2.1; of many with the mean first, so that one division is left.
template <typename Part>
DEVICE Moments together(int32_t parts, Part part) {
  double count = 0, sum = 0, square = 0;
  for (int32_t i = 0; i < parts; i++) {
    const Moments m = part(i);
    count += m.count;
    sum += m.count * m.mean;
  }
  const double mean = count > 0 ? sum / count : 0;
  for (int32_t i = 0; i < parts; i++) {
    const Moments m = part(i);
    square += m.square + m.count * (m.mean - mean) * (m.mean - mean);
  }
  return {count, mean, square};
}

// store_task_moments leaves in the workspace the moments of the task's columns; of_column gives the thread's.
template <typename At, typename OfColumn>
DEVICE void store_task_moments(const Column<At>& at, const SlotPairs& slots, const Partial& partial, OfColumn of_column) {
  for (int i = 0; i < at.kWidth; i++) {
    const Moments m = of_column(i);
    slots.put(at.slot, at.within + i, m.mean, m.square);
  }
  __syncthreads();
  const int32_t column = static_cast<int32_t>(threadIdx.x);
  if (column >= at.kTile || at.tile + column >= at.c) return;
  const Moments m = together(kSlots, [&](int32_t s) {
    return Moments{static_cast<double>(at.rows_of(s)), slots.first(s, column), slots.second(s, column)};
  });
  partial.put(blockIdx.y, at.tile + column, m.mean, m.square);
}

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

// merge_task_moments is the second kernel of each variant.
DEVICE void merge_task_moments(const BatchNormStats& stats, const Partial& partial, const FoldPairs& slots, int64_t rows, int32_t task_rows,
                               int32_t tasks) {
  const int32_t column = static_cast<int32_t>(threadIdx.x) % kLanes, slot = static_cast<int32_t>(threadIdx.x) / kLanes;
  const int32_t channel = static_cast<int32_t>(blockIdx.x) * kLanes + column;
  // Slot s folds the tasks s, s + kFoldSlots, ...; the last of all tasks may be short.
  const auto tasks_of = [=](int32_t s) { return s < tasks ? (tasks - s + kFoldSlots - 1) / kFoldSlots : 0; };
  const auto rows_of = [=](int32_t of_tasks, bool last) {
    return static_cast<double>(static_cast<int64_t>(of_tasks) * task_rows - (last ? static_cast<int64_t>(tasks) * task_rows - rows : 0));
  };
  if (channel < partial.c) {
    const Moments m = together(tasks_of(slot), [&](int32_t i) {
      const int32_t task = slot + i * kFoldSlots;
      return Moments{rows_of(1, task == tasks - 1), partial.first(task, channel), partial.second(task, channel)};
    });
    slots.put(slot, column, m.mean, m.square);
  }
  __syncthreads();
  if (slot == 0 && channel < partial.c) {
    stats.store(channel, together(kFoldSlots, [&](int32_t s) {
                  return Moments{rows_of(tasks_of(s), s == (tasks - 1) % kFoldSlots), slots.first(s, column), slots.second(s, column)};
                }));
  }
  if (blockIdx.x == 0 && threadIdx.x == 0) *stats.num_batches_tracked += 1;
}

#endif
