// bn_stats: mean = avg x, var = avg (x-mean)^2, invstd = 1/sqrt(var+eps); running_mean += momentum*(mean-running_mean),
// running_var += momentum*(var*M/(M-1)-running_var), M = N*H*W; num_batches_tracked += 1.      x [n,h,w,c]
// bn_eval_stats: mean = running_mean, invstd = 1/sqrt(running_var+eps).
// One pass over memory: a block of rows that fits the second-level cache is read twice, first for its mean, then for the sums of d = x-mean and of d^2
// (the corrected two-pass sum: the first removes the rounding of the mean); blocks are merged in double (Chan, Golub, LeVeque 1983, eq. 2.1).
// Needs: workspace, BNReduction.      Error: at most 256 rows are summed in T.
#ifndef NCT_BN_STATS_DIRECT_HPP
#define NCT_BN_STATS_DIRECT_HPP
#include "bn_rows.hpp"

namespace nct::NCT_ISA {

// Moments of n channels: how many samples each has, their means and the sums of squared differences from them.
struct Moments {
  int64_t count;
  double *mean, *square;

  // merge adds the moments of other samples of the same channels.
  void merge(int64_t other_count, const double* other_mean, const double* other_square, int64_t n) {
    if (other_count == 0) return;
    const double total = static_cast<double>(count + other_count), share = static_cast<double>(other_count) / total;
    const double weight = static_cast<double>(count) * share;
    double* const __restrict to_mean = mean;
    double* const __restrict to_square = square;
    for (int64_t i = 0; i < n; i++) {
      const double delta = other_mean[i] - to_mean[i];
      to_mean[i] += delta * share;
      to_square[i] += other_square[i] + delta * delta * weight;
    }
    count += other_count;
  }
};

// bn_block_moments: the moments of `rows` rows of n channels, the r-th at row(r), from their sums. The rows are in the cache: a few vectors of channels
// are read at a time, their sums in registers.
template <typename T, typename Row>
inline void bn_block_moments(Row row, int64_t rows, int64_t n, const T* about, double* mean, double* square) {
  const Vector<T> inverse = broadcast(T{1} / static_cast<T>(rows));
  for_vector_blocks<T, 4>(n, [&](int64_t i, auto block, auto part) {
    Vector<T> center[block.count], sums[block.count] = {}, squares[block.count] = {};
    for (int v = 0; v < block.count; v++) center[v] = load(about + i + v * lanes<T>, part) * inverse;
    for (int64_t r = 0; r < rows; r++) {
      const T* const x = row(r) + i;
      for (int v = 0; v < block.count; v++) {
        const Vector<T> d = load(x + v * lanes<T>, part) - center[v];
        sums[v] += d;
        squares[v] = fma(d, d, squares[v]);
      }
    }
    T block_about[block.count * lanes<T>], block_sums[block.count * lanes<T>], block_squares[block.count * lanes<T>];
    for (int v = 0; v < block.count; v++) {
      store(block_about + v * lanes<T>, center[v]);
      store(block_sums + v * lanes<T>, sums[v]);
      store(block_squares + v * lanes<T>, squares[v]);
    }
    const int64_t width = smaller(block.count * lanes<T>, n - i);
    const double count = 1 / static_cast<double>(rows);
    for (int64_t j = 0; j < width; j++) {
      const double sum = static_cast<double>(block_sums[j]), correction = sum * count;
      mean[i + j] = static_cast<double>(block_about[j]) + correction;
      square[i + j] = static_cast<double>(block_squares[j]) - correction * sum;
    }
  });
}

// The channels of a task of bn_finish.
constexpr int64_t kBNFinishChannels = 64;

// bn_finish writes what a call of bn_stats or of conv_fprop_stats writes beside y: running_mean, running_var and num_batches_tracked are its operands from
// `running` on, mean and invstd those from `batch` on. collect(total, begin, n) merges all samples' moments of n channels from `begin` on.
template <typename T, typename Collect>
inline void bn_finish(const nct_call* call, int running, int batch, int64_t channels, nct_pool* pool, Collect collect) {
  T* const running_mean = operand<T>(call, running);
  T* const running_var = operand<T>(call, running + 1);
  T* const mean = operand<T>(call, batch);
  T* const invstd = operand<T>(call, batch + 1);
  const double eps = call->scalar[0], momentum = call->scalar[1];
  parallel_ranges(pool, channels, kBNFinishChannels, [&](int64_t begin, int64_t end) {
    double total_mean[kBNFinishChannels] = {}, total_square[kBNFinishChannels] = {};
    Moments total{0, total_mean, total_square};
    collect(total, begin, end - begin);
    const double samples = static_cast<double>(total.count);
    for (int64_t i = 0; i < end - begin; i++) {
      const int64_t c = begin + i;
      const double variance = total_square[i] / samples, unbiased = total_square[i] / (samples > 1 ? samples - 1 : 1);
      const double old_mean = static_cast<double>(running_mean[c]), old_var = static_cast<double>(running_var[c]);
      mean[c] = static_cast<T>(total_mean[i]);
      invstd[c] = static_cast<T>(1 / __builtin_sqrt(variance + eps));
      running_mean[c] = static_cast<T>(old_mean + momentum * (total_mean[i] - old_mean));
      running_var[c] = static_cast<T>(old_var + momentum * (unbiased - old_var));
    }
  });
  *operand<int64_t>(call, running + 2) += 1;
}

template <typename T>
void bn_stats_direct_requirements(const nct_shape* shape, nct_requirements* r) {
  r->workspace = BNReduction(*shape, lanes<T>, sizeof(T)).workspace();
}

template <typename T>
void bn_stats_direct(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const BNReduction g(s, lanes<T>, sizeof(T));
  const T* const x = operand<const T>(call, 0);
  parallel(pool, g.tasks * g.tiles, [&](int64_t tile_task, int) {
    const int64_t task = tile_task / g.tiles, channel = tile_task % g.tiles * kBNTile, n = smaller(kBNTile, g.channels - channel);
    T sums[kBNTile];
    double block_mean[kBNTile], block_square[kBNTile];
    Moments moments{0, g.first(call, task) + channel, g.second(call, task) + channel};
    for (int64_t i = 0; i < n; i++) moments.mean[i] = moments.square[i] = 0;
    for (int64_t row = g.begin(task); row < g.end(task); row += g.block_rows) {
      const int64_t rows = smaller(g.block_rows, g.end(task) - row);
      const T* const block = x + row * g.channels + channel;
      for (int64_t i = 0; i < n; i++) sums[i] = 0;
      for (int64_t r = 0; r < rows; r++)
        for_vectors<T>(n, [&](int64_t i, auto part) { store(sums + i, load(sums + i, part) + load(block + r * g.channels + i, part), part); });
      bn_block_moments([&](int64_t r) { return block + r * g.channels; }, rows, n, sums, block_mean, block_square);
      moments.merge(rows, block_mean, block_square, n);
    }
  });

  bn_finish<T>(call, 1, 4, s.c, pool, [&](Moments& total, int64_t begin, int64_t n) {
    for (int64_t task = 0; task < g.tasks; task++)
      for (int64_t f = 0; f < g.fold; f++)
        total.merge(g.end(task) - g.begin(task), g.first(call, task) + f * s.c + begin, g.second(call, task) + f * s.c + begin, n);
    double value[kBNFinishChannels];
    constexpr double kNone[kBNFinishChannels] = {};
    for (int64_t row = g.samples - g.rest; row < g.samples; row++) {
      for (int64_t i = 0; i < n; i++) value[i] = static_cast<double>(x[row * s.c + begin + i]);
      total.merge(1, value, kNone, n);
    }
  });
}

template <typename T>
void bn_eval_stats_direct(const nct_call* call, nct_pool*) {
  const T* const running_mean = operand<const T>(call, 0);
  const T* const running_var = operand<const T>(call, 1);
  T* const mean = operand<T>(call, 2);
  T* const invstd = operand<T>(call, 3);
  for (int64_t c = 0; c < call->shape.c; c++) {
    mean[c] = running_mean[c];
    invstd[c] = static_cast<T>(1 / __builtin_sqrt(static_cast<double>(running_var[c]) + call->scalar[0]));
  }
}

}  // namespace nct::NCT_ISA
#endif
