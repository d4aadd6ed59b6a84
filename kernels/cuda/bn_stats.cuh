// What sums statistics of a batch shares: moments, how they are put together, and how a block leaves those of its rows in the workspace.
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

// two_pass_moments are those of value(0) to value(count - 1), of at most Rows, by the corrected two-pass algorithm (Chan, Golub, LeVeque 1983, eq. 1.7).
template <int Rows, typename Value>
DEVICE Moments two_pass_moments(int32_t count, Value value) {
  if (count == 0) return {0, 0, 0};
  float sum = 0;
#pragma unroll
  for (int r = 0; r < Rows; r++)
    if (r < count) sum += value(r);
  const float about = sum / static_cast<float>(count);
  float difference = 0, square = 0;
#pragma unroll
  for (int r = 0; r < Rows; r++) {
    if (r >= count) continue;
    const float d = value(r) - about;
    difference += d;
    square = fmaf(d, d, square);
  }
  const double correction = static_cast<double>(difference) / count;
  return {static_cast<double>(count), about + correction, square - correction * difference};
}

// store_task_moments leaves in the workspace the moments of a task's columns. `rows` tells which of them the thread has: kWidth columns, column(i) of the block's
// kTile, the first of which is `tile` of c; and that slot s has rows_of(s) rows. of_column gives the moments of the thread's.
template <typename Rows, typename Slots, typename OfColumn>
DEVICE void store_task_moments(const Rows& rows, int64_t task, const Slots& slots, const Partial& partial, OfColumn of_column) {
#pragma unroll
  for (int i = 0; i < Rows::kWidth; i++) {
    const Moments m = of_column(i);
    slots.put(rows.slot, rows.column(i), m.mean, m.square);
  }
  __syncthreads();
  const int32_t column = static_cast<int32_t>(threadIdx.x);
  if (column >= Rows::kTile || rows.tile + column >= partial.c) return;
  const Moments m = together(Slots::kSlotCount, [&](int32_t s) {
    return Moments{static_cast<double>(rows.rows_of(s)), slots.first(s, column), slots.second(s, column)};
  });
  partial.put(task, rows.tile + column, m.mean, m.square);
}

#endif
