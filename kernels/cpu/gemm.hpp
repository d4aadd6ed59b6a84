// The register tiles of the blocked GEMM under every float32 convolution and linear kernel: im2col and Winograd share them.
//
// gemm_rows:   y[i][j] (+)= sum_t sum_k a[t][i][k] * b[t][k][j]    rows of a are found through pointers, b is packed in panels of columns
// gemm_outer: d[i][j] (+)= sum_t g[t][i] * x[t][j]                a weight gradient: the sum runs over pixels or tiles
//
// Both hold kGemmRows x kGemmVectors accumulators and do, for each k, one outer product of a column of scalars and a row of vectors. Because the
// scalars are read one at a time from where they lie (a broadcast from memory is one load), the left matrix needs no packing: pixels of an NHWC
// image are rows of channels already, and padding is a pointer to zeros.
//
// 6 rows x 4 vectors fill 24 of 32 registers, 6 x 2 fill 12 of 16; 6 pointers also fit the general registers. A k costs kGemmRows +
// kGemmVectors loads for their product of multiply-adds.      Measured on Zen 4: 114 of 117 GFLOP/s a thread from L2 (AVX-512).
//
// Columns are cut into panels of kPanel; the last is as wide as its columns need, in whole vectors, or half a vector. Packed b holds the panels one
// after another, each [t][k][panel width], with zeros beyond the last column.
// Error: each accumulator is one chain of fused (baseline: rounded) multiply-adds from zero; `accumulate` adds it to memory with one more rounding.
#ifndef NCT_GEMM_HPP
#define NCT_GEMM_HPP
#include "parallel.hpp"

namespace nct::NCT_ISA {

#if NCT_VECTOR_BYTES == 64 || defined(__aarch64__)
constexpr int kGemmVectors = 4;  // 32 vector registers
#else
constexpr int kGemmVectors = 2;  // 16
#endif
constexpr int kGemmRows = 6;
// Numbers in a cache line.
template <typename T>
constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
template <typename T>
constexpr int64_t kPanel = int64_t{kGemmVectors} * lanes<T>;

// The longest chain of products that a row tile sums before it adds to y; a panel of b of this depth stays in L2 while the rows pass.
constexpr int64_t kDepthBlock = 576;

inline int64_t round_up(int64_t n, int64_t multiple) { return ceil_div(n, multiple) * multiple; }

// A Carver hands out parts of a block of memory, each 64-byte aligned. Over null it only counts, so the layout is written once for both.
struct Carver {
  uintptr_t base;
  int64_t bytes = 0;

  explicit Carver(void* memory) : base(reinterpret_cast<uintptr_t>(memory)) {}
  template <typename T>
  T* take(int64_t n) {
    T* const part = reinterpret_cast<T*>(base + static_cast<uintptr_t>(bytes));
    bytes += round_up(n * static_cast<int64_t>(sizeof(T)), 64);
    return part;
  }
};

// panel_width: floats in a row of the panel that begins at a column with `left` columns to go.
template <typename T>
inline int64_t panel_width(int64_t left) {
  if (left >= kPanel<T>) return kPanel<T>;
  if (lanes < T >> 4 && left <= lanes<T> / 2) return lanes<T> / 2;
  return round_up(left, lanes<T>);
}

// packed_columns: the columns of a packed matrix with the last panel's padding.
template <typename T>
inline int64_t packed_columns(int64_t columns) {
  const int64_t whole = columns / kPanel<T> * kPanel<T>;
  return whole == columns ? whole : whole + panel_width<T>(columns - whole);
}

template <typename T>
struct GemmRows {
  const T* const* a;  // row i of tap t begins at a[t*a_stride + i] + a_offset; all kGemmRows rows can be read
  int64_t a_stride, a_offset;
  const int64_t* b_tap;  // tap t's part of the panel begins at b + b_tap[t]
  int taps;
  int64_t depth;  // products that a tap adds
  const T* b;
  T* const* y;  // row i: y[i] + y_offset, for i < rows
  int64_t y_offset;
  int rows, columns;
  bool accumulate;
  const T* ahead;  // a line from here on is asked for to L2 with every product: what is read next, or any memory (an address cannot be wrong)
};

// store_row: V vectors of L lanes to `columns` floats at y.
template <typename T, int L, int V>
inline void store_row(T* y, const VectorN<T, L>* c, int columns, bool accumulate) {
  typedef typename VectorTypes<T, L>::unaligned unaligned;
  if (columns == L * V) {
    unaligned* const to = reinterpret_cast<unaligned*>(y);
#pragma GCC unroll 4
    for (int j = 0; j < V; j++) to[j] = accumulate ? to[j] + c[j] : c[j];
    return;
  }
  T row[L * V];
#pragma GCC unroll 4
  for (int j = 0; j < V; j++) reinterpret_cast<unaligned*>(row)[j] = c[j];
  for (int j = 0; j < columns; j++) y[j] = accumulate ? y[j] + row[j] : row[j];
}

template <typename T, int L, int V>
[[gnu::noinline]] void gemm_rows(const GemmRows<T>& tile) {
  typedef VectorN<T, L> vector;
  typedef typename VectorTypes<T, L>::unaligned unaligned;
  vector c[kGemmRows][V] = {};
  const T* ahead = tile.ahead;
  for (int t = 0; t < tile.taps; t++) {
    const T* a[kGemmRows];
#pragma GCC unroll 8
    for (int i = 0; i < kGemmRows; i++) a[i] = tile.a[t * tile.a_stride + i] + tile.a_offset;
    const T* b = tile.b + tile.b_tap[t];
    for (int64_t k = 0; k < tile.depth; k++, b += L * V, ahead += kLine<T>) {
      __builtin_prefetch(ahead, 0, 2);
      vector row[V];
#pragma GCC unroll 4
      for (int j = 0; j < V; j++) row[j] = reinterpret_cast<const unaligned*>(b)[j];
#pragma GCC unroll 8
      for (int i = 0; i < kGemmRows; i++) {
        const T x = a[i][k];
#pragma GCC unroll 4
        for (int j = 0; j < V; j++) c[i][j] += x * row[j];
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kGemmRows; i++)
    if (i < tile.rows) store_row<T, L, V>(tile.y[i] + tile.y_offset, c[i], tile.columns, tile.accumulate);
}

// Runs of memory, of two pairs of cache lines each, that a loop reads later: run i from first + i*step on.
template <typename T>
struct Runs {
  const T* first;
  int64_t step, count;

  static constexpr int64_t kLength = 4 * kLine<T>;
  const T* pair(int64_t i) const { return first + (i >> 1) * step + (i & 1) * 2 * kLine<T>; }
};

template <typename T>
struct GemmOuter {
  int64_t depth;  // pixels
  const T* g;     // rows of pixel t: g + t*g_stride
  int64_t g_stride;
  const T* x;  // columns of pixel t: x + t*x_stride, readable to the panel's width
  int64_t x_stride;
  T* d;  // row i: d + i*d_stride
  int64_t d_stride;
  int columns;
  bool accumulate;
  // Every kAheadProducts products ask for pair ahead_at >> kAheadBits of what is read next, and ahead_at grows by ahead_rate.
  Runs<T> ahead;
  int64_t ahead_at, ahead_rate;
};
constexpr int kAheadBits = 16;
template <typename T>
constexpr int kAheadProducts = static_cast<int>(64 / kPanel<T>);  // some 25 cycles

// OuterAhead spreads what is read after so many register tiles of `depth` products evenly over them. A line asked for twice costs nothing, but many at once keep
// waiting what the tile itself reads: asked for in bursts between the tiles, the same lines made weight gradients take 1.1 times as long (Zen 4). They
// are asked for to L1, from where they fall to L2. (What is asked for to L2 alone is not brought: 1.3 times as long.)
template <typename T>
struct OuterAhead {
  Runs<T> now, then;
  int64_t asks;  // of a tile
  int64_t at = 0, rate;

  OuterAhead(const Runs<T>& now, const Runs<T>& then, int64_t tiles, int64_t depth) : now(now), then(then), asks(depth / kAheadProducts<T>) {
    rate = ((now.count + then.count) * 2 << kAheadBits) / larger(1, tiles * asks) + 1;
  }
  // share gives a tile what it asks for.
  void share(GemmOuter<T>& tile) {
    const int64_t end = now.count * 2 << kAheadBits;
    if (at >= end) {
      at -= end;
      now = then;
      then.count = 0;
    }
    tile.ahead = now;
    tile.ahead_at = at;
    tile.ahead_rate = rate;
    at += asks * rate;
  }
};

template <typename T, int L, int V, int R>
[[gnu::noinline]] void gemm_outer(const GemmOuter<T>& tile) {
  typedef VectorN<T, L> vector;
  typedef typename VectorTypes<T, L>::unaligned unaligned;
  vector c[R][V] = {};
  const T *g = tile.g, *x = tile.x;
  // What the sums are added to is seldom in L1; it comes while they are made.
#pragma GCC unroll 8
  for (int i = 0; i < R; i++)
#pragma GCC unroll 4
    for (int64_t j = 0; j < L * V; j += kLine<T>) __builtin_prefetch(tile.d + i * tile.d_stride + j, 1, 3);
  const auto add_product = [&]() __attribute__((always_inline)) {
    vector row[V];
#pragma GCC unroll 4
    for (int j = 0; j < V; j++) row[j] = reinterpret_cast<const unaligned*>(x)[j];
#pragma GCC unroll 8
    for (int i = 0; i < R; i++) {
      const T a = g[i];
#pragma GCC unroll 4
      for (int j = 0; j < V; j++) c[i][j] += a * row[j];
    }
    g += tile.g_stride;
    x += tile.x_stride;
  };
  int64_t at = tile.ahead_at, t = 0;
  for (; t + kAheadProducts<T> <= tile.depth; t += kAheadProducts<T>, at += tile.ahead_rate) {
    const T* const pair = tile.ahead.pair(at >> kAheadBits);
    __builtin_prefetch(pair, 0, 3);
    __builtin_prefetch(pair + kLine<T>, 0, 3);
#pragma GCC unroll 8
    for (int i = 0; i < kAheadProducts<T>; i++) add_product();
  }
  for (; t < tile.depth; t++) add_product();
#pragma GCC unroll 8
  for (int i = 0; i < R; i++) store_row<T, L, V>(tile.d + i * tile.d_stride, c[i], tile.columns, tile.accumulate);
}

// run_gemm_rows and run_gemm_outer choose the instance for a panel of `width` columns, and for `rows` rows.
template <typename T>
inline void run_gemm_rows(const GemmRows<T>& tile, int64_t width) {
  constexpr int L = lanes<T>;
  if (L > 4 && width == L / 2) return gemm_rows<T, L / 2, 1>(tile);
  switch (width / L) {
    case 1: return gemm_rows<T, L, 1>(tile);
    case 2: return gemm_rows<T, L, 2>(tile);
#if NCT_VECTOR_BYTES == 64 || defined(__aarch64__)
    case 3: return gemm_rows<T, L, 3>(tile);
    case 4: return gemm_rows<T, L, 4>(tile);
#endif
  }
}

template <typename T, int L, int V>
inline void run_gemm_outer_rows(const GemmOuter<T>& tile, int rows) {
  switch (rows) {
    case 1: return gemm_outer<T, L, V, 1>(tile);
    case 2: return gemm_outer<T, L, V, 2>(tile);
    case 3: return gemm_outer<T, L, V, 3>(tile);
    case 4: return gemm_outer<T, L, V, 4>(tile);
    case 5: return gemm_outer<T, L, V, 5>(tile);
    case 6: return gemm_outer<T, L, V, 6>(tile);
  }
}

template <typename T>
inline void run_gemm_outer(const GemmOuter<T>& tile, int64_t width, int rows) {
  constexpr int L = lanes<T>;
  if (L > 4 && width == L / 2) return run_gemm_outer_rows<T, L / 2, 1>(tile, rows);
  switch (width / L) {
    case 1: return run_gemm_outer_rows<T, L, 1>(tile, rows);
    case 2: return run_gemm_outer_rows<T, L, 2>(tile, rows);
#if NCT_VECTOR_BYTES == 64 || defined(__aarch64__)
    case 3: return run_gemm_outer_rows<T, L, 3>(tile, rows);
    case 4: return run_gemm_outer_rows<T, L, 4>(tile, rows);
#endif
  }
}

}  // namespace nct::NCT_ISA
#endif
