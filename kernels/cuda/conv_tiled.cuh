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

// The tile's m and n of a thread's i-th: two groups of four, so that a warp's loads are of neighbours.
DEVICE int32_t tiled_m(int i) { return static_cast<int32_t>(threadIdx.x) / 8 * 4 + i / 4 * (kTileM / 2) + i % 4; }
DEVICE int32_t tiled_n(int i) { return static_cast<int32_t>(threadIdx.x) % 8 * 4 + i / 4 * (kTileN / 2) + i % 4; }

DEVICE void load8(float out[8], const float* first, const float* second) {
  const float4 a = load4(first), b = load4(second);
  out[0] = a.x, out[1] = a.y, out[2] = a.z, out[3] = a.w, out[4] = b.x, out[5] = b.y, out[6] = b.z, out[7] = b.w;
}

struct Tiled {
  static constexpr int kDepth = 8;
  template <typename A, typename B, typename Output>
  DEVICE static void run(A a, B b, int32_t steps, const Output& d, int32_t m0, int32_t n0);
};

template <typename A, typename B, typename Output>
DEVICE void Tiled::run(A a, B b, int32_t steps, const Output& d, int32_t m0, int32_t n0) {
  using HeldA = Held<A, kTileM>;
  using HeldB = Held<B, kTileN>;
  constexpr int kSizeA = kDepth * HeldA::kLine, kSize = kSizeA + kDepth * HeldB::kLine;
  SHARED(float, tiles, 2 * kSize);
  HeldA held_a;
  HeldB held_b;
  float sum[8][8] = {};

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
      load8(factors_a, line_a + tiled_m(0), line_a + tiled_m(4));
      load8(factors_b, line_b + tiled_n(0), line_b + tiled_n(4));
#pragma unroll
      for (int i = 0; i < 8; i++)
#pragma unroll
        for (int j = 0; j < 8; j++) sum[i][j] = fmaf(factors_a[i], factors_b[j], sum[i][j]);
    }
    if (step + 1 < steps) {
      float* const next = tiles + (step + 1) % 2 * kSize;
      held_a.put(next);
      held_b.put(next + kSizeA);
    }
  }

#pragma unroll
  for (int i = 0; i < 8; i++) {
    float* const line = d.line(Output::kAlongN ? m0 + tiled_m(i) : n0 + tiled_n(i));
#pragma unroll
    for (int j = 0; j < 8; j += 4) {
      const int32_t at = Output::kAlongN ? n0 + tiled_n(j) : m0 + tiled_m(j);
      if (line && at < d.length())
        store4(line + at, Output::kAlongN ? float4{sum[i][j], sum[i][j + 1], sum[i][j + 2], sum[i][j + 3]}
                                          : float4{sum[j][i], sum[j + 1][i], sum[j + 2][i], sum[j + 3][i]});
    }
  }
}

#endif
