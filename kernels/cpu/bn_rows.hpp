// How batch normalisation walks over [rows, channels], shared by its kernels: a pass over memory in address order, whole vectors, float sums bounded.
//
// Rows are read one after the other, whole: with rows or channels taken in groups the processor's prefetcher loses the way (a third of the bandwidth).
// Fold: a few rows are read as one row of fold*C channels where C is no multiple of the vector length, or so small that the sums of a row would wait for
// those of the row before; each real channel then has `fold` partial sums that are merged at the end. All tasks follow from the shape.
#ifndef NCT_BN_ROWS_HPP
#define NCT_BN_ROWS_HPP
#include "parallel.hpp"

namespace nct::NCT_ISA {

// The channels that a task holds on its stack, and so the widest folded row.
constexpr int64_t kBNTile = 1024;
// Samples that a sum may take in T before it goes on in double.
constexpr int64_t kBNRowsPerSum = 256;
// Vectors that a folded row has at least.
constexpr int64_t kBNRowVectors = 8;
// Bytes of a block of rows: it stays in the second-level cache between the two passes of bn_stats.
constexpr int64_t kBNBlockBytes = 131072;
constexpr int64_t kBNMaxTasks = 64;
// Rows that an elementwise task has at least, so that its coefficients cost little beside them.
constexpr int64_t kBNTaskRows = 64;

// bn_fold: how many rows of c channels are read as one.
inline int64_t bn_fold(int64_t c, int lane_count) {
  int64_t divisor = lane_count;
  while (c % divisor != 0) divisor /= 2;
  int64_t fold = lane_count / divisor;
  while (fold * c < kBNRowVectors * lane_count) fold *= 2;
  return fold * c > kBNTile ? 1 : fold;
}

struct BNRows {
  int64_t fold;      // rows read as one
  int64_t channels;  // fold * C
  int64_t rows;      // whole folded rows
  int64_t rest;      // rows left over, fewer than fold
  int64_t tiles;     // a row's tiles of at most kBNTile channels; more than one only where fold is 1
  int64_t samples;   // N*H*W

  BNRows(const nct_shape& s, int lane_count) {
    fold = bn_fold(s.c, lane_count);
    channels = fold * s.c;
    samples = s.n * s.h * s.w;
    rows = samples / fold;
    rest = samples % fold;
    tiles = ceil_div(channels, kBNTile);
  }
};

// A sum over rows is done in tasks of `task_rows` folded rows, each in blocks of `block_rows`. A task leaves two doubles a folded channel in the workspace.
struct BNReduction : BNRows {
  int64_t block_rows, task_rows, tasks;

  BNReduction(const nct_shape& s, int lane_count, int element_bytes) : BNRows(s, lane_count) {
    block_rows = smaller(larger(1, kBNBlockBytes / (channels * element_bytes)), kBNRowsPerSum);
    const int64_t blocks = larger(1, ceil_div(rows, block_rows));
    task_rows = ceil_div(blocks, kBNMaxTasks) * block_rows;
    tasks = larger(1, ceil_div(rows, task_rows));
  }

  int64_t workspace() const { return tasks * 2 * channels * static_cast<int64_t>(sizeof(double)); }
  double* first(const nct_call* call, int64_t task) const { return static_cast<double*>(call->workspace) + task * 2 * channels; }
  double* second(const nct_call* call, int64_t task) const { return first(call, task) + channels; }
  int64_t begin(int64_t task) const { return task * task_rows; }
  int64_t end(int64_t task) const { return smaller(rows, begin(task) + task_rows); }
  // The task that also takes the rest.
  bool last(int64_t task) const { return task == tasks - 1; }
};

// bn_elementwise calls task_body(channel, n, each) for ranges of rows of n folded channels from `channel` on: it prepares its n coefficients and then
// calls each(body), which calls body(at, i, part) for every vector: its first element in x, and the same within the n channels.
template <typename T, typename Task>
inline void bn_elementwise(const nct_shape& s, nct_pool* pool, Task task_body) {
  const BNRows g(s, lanes<T>);
  const int64_t total = g.samples * s.c, lines = ceil_div(total, g.channels), step = larger(kBNTaskRows, kElementwiseStep / g.channels);
  const int64_t ranges = ceil_div(lines, step);
  parallel(pool, ranges * g.tiles, [&](int64_t task, int) {
    const int64_t begin = task / g.tiles * step, end = smaller(lines, begin + step), channel = task % g.tiles * kBNTile;
    task_body(channel, smaller(kBNTile, g.channels - channel), [&](auto body) {
      for (int64_t line = begin; line < end; line++) {
        const int64_t offset = line * g.channels + channel;
        for_vectors<T>(smaller(smaller(kBNTile, g.channels - channel), total - offset), [&](int64_t i, auto part) { body(offset + i, i, part); });
      }
    });
  });
}

}  // namespace nct::NCT_ISA
#endif
