// Where the products of conv_tile.cuh go: lines of d in memory, what is done to the sums on the way there, and what is made of them besides.
//
// A product (conv_tiled.cuh, conv_mma.cuh) ends with each thread's Sums: kOfThread x kOfThread elements of the block's tile, value(i, j) at (row(i), column(j)). As many
// neighbours as AlongN takes at once lie next to each other along n, and along m for AlongM. The kSlots threads that share their columns are told apart by
// slot(): row(i) is row_of(slot(), i).
#ifndef NCTRAIN_CONV_OUTPUT_CUH
#define NCTRAIN_CONV_OUTPUT_CUH
#include "bn_forward.cuh"
#include "bn_stats.cuh"
#include "conv.cuh"

constexpr int kTileM = 128, kTileN = 64, kTileThreads = 128;  // launches_conv.go has the same numbers
constexpr int kOfThread = 8;
static_assert(kTileM * kTileN == kTileThreads * kOfThread * kOfThread, "every sum is a thread's");

// ---- finishes: of_columns(n, at) is what is done to as many columns from n on as `at` takes at once, given where they go and their sums.

// kKeepsUnreached: elements without products need not be visited.

struct Stored {
  static constexpr bool kKeepsUnreached = false;
  template <typename At>
  DEVICE auto of_columns(int32_t, At at) const {
    return [=](float* to, auto sums) { at.store(to, sums); };
  }
};

struct Added {
  static constexpr bool kKeepsUnreached = true;
  template <typename At>
  DEVICE auto of_columns(int32_t, At at) const {
    return [=](float* to, auto sums) { at.store(to, each([](float a, float b) { return a + b; }, at.load(to), sums)); };
  }
};

struct Normalised {
  BatchNorm norm;
  const float *residual, *y;  // the residual lies as y does; null: none

  template <typename At>
  DEVICE auto of_columns(int32_t n, At at) const {
    const auto normalise = norm.of_channels(n, at);
    return [=, *this](float* to, auto sums) { at.store(to, normalise(sums, residual ? residual + (to - y) : nullptr)); };
  }
};

// ---- outputs: lines of d in memory, along n (kAlongN: a line is an m) or along m

template <typename Finish>
struct PixelsOfY {
  static constexpr bool kAlongN = true;
  float* y;
  Conv conv;
  Finish finish;

  DEVICE int32_t length() const { return conv.K; }
  DEVICE float* line(int32_t m) const { return m < conv.pixels() ? y + static_cast<int64_t>(m) * conv.K : nullptr; }
};

// The pixels of a class of dx.
template <typename Finish>
struct PixelsOfDx {
  static constexpr bool kAlongN = true;
  float* dx;
  Conv conv;
  Parity rows, columns;
  Finish finish;

  DEVICE int32_t length() const { return conv.C; }
  DEVICE float* line(int32_t m) const {
    const Digits at = Radix{rows.pixels, columns.pixels}.digits(m);
    if (at.high >= conv.N) return nullptr;
    const int32_t row = at.middle * conv.stride + rows.rest, column = at.low * conv.stride + columns.rest;
    return dx + ((static_cast<int64_t>(at.high) * conv.H + row) * conv.W + column) * conv.C;
  }
};

struct Filters {
  static constexpr bool kAlongN = false;
  float* dw;
  Conv conv;

  DEVICE int32_t length() const { return conv.window(); }
  DEVICE float* line(int32_t n) const { return n < conv.K ? dw + static_cast<int64_t>(n) * length() : nullptr; }
};

// store puts the thread's sums of the block's tile from (m0, n0) on where they belong. Lengths are multiples of 4.
template <typename Output, typename Sums>
DEVICE void store(const Output& d, const Sums& sums, int32_t m0, int32_t n0) {
  if constexpr (Output::kAlongN) {
    using At = typename Sums::AlongN;
    float* line[kOfThread];
#pragma unroll
    for (int i = 0; i < kOfThread; i++) line[i] = d.line(m0 + sums.row(i));
#pragma unroll
    for (int j = 0; j < kOfThread; j += At::kWidth) {
      const int32_t n = n0 + sums.column(j);
      if (n >= d.length()) continue;
      const auto finish = d.finish.of_columns(n, At());
#pragma unroll
      for (int i = 0; i < kOfThread; i++)
        if (line[i]) finish(line[i] + n, At::of([&](int k) { return sums.value(i, j + k); }));
    }
  } else {
    using At = typename Sums::AlongM;
#pragma unroll
    for (int j = 0; j < kOfThread; j++) {
      float* const line = d.line(n0 + sums.column(j));
#pragma unroll
      for (int i = 0; i < kOfThread; i += At::kWidth) {
        const int32_t m = m0 + sums.row(i);
        if (line && m < d.length()) At::store(line + m, At::of([&](int k) { return sums.value(i + k, j); }));
      }
    }
  }
}

// What store_task_moments (bn_stats.cuh) wants to know of a tile, of which the first `present` rows are there.
template <typename Sums>
struct RowsOfTile {
  static constexpr int kWidth = kOfThread, kTile = kTileN;
  int32_t present, slot, tile;

  DEVICE int32_t column(int j) const { return Sums::column(j); }
  DEVICE int32_t rows_of(int32_t of_slot) const {
    int32_t n = 0;
#pragma unroll
    for (int i = 0; i < kOfThread; i++) n += Sums::row_of(of_slot, i) < present;
    return n;
  }
};

// store_tile_moments leaves in the workspace the moments of the tile's columns, as of the block's task. Rows past the last pixel do not count.
template <typename Sums>
DEVICE void store_tile_moments(const Sums& sums, const SlotPairs& slots, const Partial& partial, int32_t present, int32_t n0) {
  const RowsOfTile<Sums> rows = {present, Sums::slot(), n0};
  const int32_t count = rows.rows_of(rows.slot);
  store_task_moments(rows, slots, partial, [&](int j) { return two_pass_moments<kOfThread>(count, [&](int i) { return sums.value(i, j); }); });
}

#endif
