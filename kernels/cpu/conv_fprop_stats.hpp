// conv_fprop_stats_*: y = conv_fprop(x, w); mean, invstd, running_mean, running_var and num_batches_tracked as bn_stats makes them of y.
//
// What they share: a task of the convolution takes the moments of the pixels that it has just stored, which are still in its L2, by the loops of bn_stats
// (bn_stats_direct.hpp), and leaves them in a slot of the workspace. Slots follow from the shape, and are merged in their order at the end.
// Needs: the workspace of the convolution, and the slots behind it.
// Error: that of bn_stats: at most 256 values are summed in T, all else in double by Chan's formula.
#ifndef NCT_CONV_FPROP_STATS_HPP
#define NCT_CONV_FPROP_STATS_HPP
#include "bn_stats_direct.hpp"
#include "epilogue.hpp"
#include "gemm.hpp"

namespace nct::NCT_ISA {

// cached_moments is bn_block_moments of rows that are in the cache before.
template <typename T, typename Row>
inline void cached_moments(Row row, int64_t rows, int64_t n, double* mean, double* square) {
  T about[kBNTile];
  for_vector_blocks<T, 4>(n, [&](int64_t i, auto block, auto part) {
    Vector<T> sums[block.count] = {};
    for (int64_t r = 0; r < rows; r++) {
      const T* const x = row(r) + i;
      for (int v = 0; v < block.count; v++) sums[v] += load(x + v * lanes<T>, part);
    }
    for (int v = 0; v < block.count; v++) store(about + i + v * lanes<T>, sums[v], part);
  });
  bn_block_moments(row, rows, n, about, mean, square);
}

// The output as it is, and its moments.
template <typename T>
struct OutputMoments : KeepOutput<T> {
  int64_t slots, channels;
  int64_t fold;     // pixels that are read as one where so many lie together
  int64_t* count;   // of samples in a slot
  double* moments;  // of a slot: the mean of every channel, then the squares
  int64_t bytes;    // of all

  OutputMoments(void* memory, int64_t slot_count, int64_t channel_count)
      : slots(slot_count), channels(channel_count), fold(bn_fold(channels, lanes<T>)) {
    Carver carver(memory);
    count = carver.take<int64_t>(slots);
    moments = carver.take<double>(slots * 2 * channels);
    bytes = carver.bytes;
  }

  // In the workspace of a call of conv_fprop_stats, behind what the convolution needs of it.
  OutputMoments(const nct_call* call, const nct_requirements& convolution, int64_t slot_count)
      : OutputMoments(static_cast<char*>(call->workspace) + convolution.workspace, slot_count, call->shape.k) {}

  Moments of_slot(int64_t slot, int64_t channel, int64_t samples) const {
    double* const mean = moments + slot * 2 * channels + channel;
    return {samples, mean, mean + channels};
  }

  // add merges channels [first, end) of `pixels` pixels, the i-th of which lies at pixel(i), into a slot, which holds nothing before where it is fresh. From
  // every together-th pixel on so many lie side by side; only where all channels are added may that be more than one. A slot's tasks have different channels.
  template <typename Pixel>
  void add(int64_t slot, bool fresh, int64_t first, int64_t end, int64_t pixels, int64_t together, Pixel pixel) const {
    double mean[kBNTile], square[kBNTile];
    const int64_t before = fresh ? 0 : count[slot], rows = pixels / together, rest = pixels % together;
    for (int64_t channel = first; channel < end; channel += kBNTile) {
      const int64_t n = smaller(kBNTile, end - channel);
      Moments to = of_slot(slot, channel, before);
      for (int64_t i = 0; fresh && i < n; i++) to.mean[i] = to.square[i] = 0;
      for (int64_t row = 0; row < rows; row += kBNRowsPerSum) {
        const int64_t block = smaller(kBNRowsPerSum, rows - row);
        cached_moments<T>([&](int64_t r) { return pixel((row + r) * together) + channel; }, block, together * n, mean, square);
        for (int64_t f = 0; f < together; f++) to.merge(block, mean + f * n, square + f * n, n);
      }
      if (rest == 0) continue;
      cached_moments<T>([&](int64_t r) { return pixel(rows * together + r) + channel; }, rest, n, mean, square);
      to.merge(rest, mean, square, n);
    }
    if (first == 0) count[slot] = before + pixels;
  }

  void finish(const nct_call* call, nct_pool* pool) const {
    bn_finish<T>(call, 2, 6, channels, pool, [&](Moments& total, int64_t begin, int64_t n) {
      for (int64_t slot = 0; slot < slots; slot++) {
        const Moments part = of_slot(slot, begin, count[slot]);
        total.merge(part.count, part.mean, part.square, n);
      }
    });
  }
};

}  // namespace nct::NCT_ISA
#endif
