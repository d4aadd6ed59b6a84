// The product of conv_tile.cuh on the float32 units: tiles in shared memory, 8x8 sums a thread, accumulated in order of k with one rounding a product.
//
// A tile lies there as [k][line], whichever way its source has it, so that a thread reads its 8 + 8 factors of a k by four 16-byte loads. Two buffers: the
// next tiles' global loads are under way during a step's sums, and one barrier a step is enough. Lines are 4 numbers longer than the tile: a thread that writes
// four k of one line shares no bank with its neighbours.
#ifndef NCTRAIN_CONV_TILED_CUH
#define NCTRAIN_CONV_TILED_CUH
#include "conv_tile.cuh"

// Held is a source's tile on its way through the thread's registers.
template <typename Source, int Width>
struct Held {
  static constexpr int kLine = Width + 4;  // of the tile in shared memory
  float4 held[Source::kPasses];

  DEVICE void fetch(Source& source) {
#pragma unroll
    for (int pass = 0; pass < Source::kPasses; pass++) {
      const Chunk from = source.next(pass);
      held[pass] = from.inside ? load4(from.at) : float4{0.0f, 0.0f, 0.0f, 0.0f};
    }
  }
  DEVICE void put(float* tile) const {
#pragma unroll
    for (int pass = 0; pass < Source::kPasses; pass++) {
      const float4 v = held[pass];
      if (Source::kAlongK) {
        float* const at = tile + Source::column() * kLine + Source::line(pass);
        at[0] = v.x, at[kLine] = v.y, at[2 * kLine] = v.z, at[3 * kLine] = v.w;
      } else {
        store4(tile + Source::line(pass) * kLine + Source::column(), v);
      }
    }
  }
};

DEVICE void load8(float out[8], const float* first, const float* second) {
  const float4 a = load4(first), b = load4(second);
  out[0] = a.x, out[1] = a.y, out[2] = a.z, out[3] = a.w, out[4] = b.x, out[5] = b.y, out[6] = b.z, out[7] = b.w;
}

struct TiledSums {
  using AlongN = Vector4;
  using AlongM = Vector4;
  float sum[kOfThread][kOfThread];

  // Rows and columns are two groups of four, so that a warp's loads are of neighbours.
  DEVICE static int32_t slot() { return static_cast<int32_t>(threadIdx.x) / 8; }
  DEVICE static int32_t row_of(int32_t slot, int i) { return slot * 4 + i / 4 * (kTileM / 2) + i % 4; }
  DEVICE static int32_t row(int i) { return row_of(slot(), i); }
  DEVICE static int32_t column(int j) { return static_cast<int32_t>(threadIdx.x) % 8 * 4 + j / 4 * (kTileN / 2) + j % 4; }
  DEVICE float value(int i, int j) const { return sum[i][j]; }
};

struct Tiled {
  static constexpr int kDepth = 8;
  template <typename A, typename B, typename Done>
  DEVICE static void run(A a, B b, int32_t steps, Done done);

  DEVICE static double* scratch() {
    SHARED(double, slots, SlotPairs::kDoubles);
    return slots;
  }
};

template <typename A, typename B, typename Done>
DEVICE void Tiled::run(A a, B b, int32_t steps, Done done) {
  using HeldA = Held<A, kTileM>;
  using HeldB = Held<B, kTileN>;
  constexpr int kSizeA = kDepth * HeldA::kLine, kSize = kSizeA + kDepth * HeldB::kLine;
  SHARED(float, tiles, 2 * kSize);
  HeldA held_a;
  HeldB held_b;
  TiledSums sums = {};

  if (steps > 0) {
    held_a.fetch(a);
    held_b.fetch(b);
    held_a.put(tiles);
    held_b.put(tiles + kSizeA);
  }
  for (int32_t step = 0; step < steps; step++) {
    __syncthreads();  // this step's tiles are whole, and nobody reads the last one's any more
    if (step + 1 < steps) {
      held_a.fetch(a);
      held_b.fetch(b);
    }
    const float* const tile = tiles + step % 2 * kSize;
#pragma unroll
    for (int k = 0; k < kDepth; k++) {
      const float *const line_a = tile + k * HeldA::kLine, *const line_b = tile + kSizeA + k * HeldB::kLine;
      float factors_a[8], factors_b[8];
      load8(factors_a, line_a + sums.row(0), line_a + sums.row(4));
      load8(factors_b, line_b + sums.column(0), line_b + sums.column(4));
#pragma unroll
      for (int i = 0; i < kOfThread; i++)
#pragma unroll
        for (int j = 0; j < kOfThread; j++) sums.sum[i][j] = fmaf(factors_a[i], factors_b[j], sums.sum[i][j]);
    }
    if (step + 1 < steps) {
      float* const next = tiles + (step + 1) % 2 * kSize;
      held_a.put(next);
      held_b.put(next + kSizeA);
    }
  }
  done(sums);
}

#endif
