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

// store_task_moments leaves in the workspace the moments of a task's columns (store_task, reduce.cuh); slot s has rows.rows_of(s) rows. of_column gives the moments of
// the thread's.
template <typename Rows, typename Slots, typename OfColumn>
DEVICE void store_task_moments(const Rows& rows, const Slots& slots, const Partial& partial, OfColumn of_column) {
  const auto of_moments = [](const Moments& m) { return Pair{m.mean, m.square}; };
  store_task(
      rows, slots, partial, [&](int i) { return of_moments(of_column(i)); },
      [&](int32_t column) {
        return of_moments(together(Slots::kSlotCount, [&](int32_t s) {
          return Moments{static_cast<double>(rows.rows_of(s)), slots.first(s, column), slots.second(s, column)};
        }));
      });
}

#endif
