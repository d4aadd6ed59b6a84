// The form of conv_wgrad_winograd without planes of all tiles: dw in blocks of kPlaneWidth k x kPlaneWidth c.
//
// A task is a range of tiles times a block of dw. It goes through its range once for each of A's groups of rows of products (kGroupRows), in blocks of
// tiles: the group's planes of a block and its part of dU stay in the thread's L2 together, which all 36 of dU and of planes do not, and memory has only
// pixels to bring, which are asked for while the block before multiplies. With more than one range each writes its own copy of dw into the workspace; a
// second region adds the copies in order. Ranges follow from the shape.
// Cost:  pixels are transformed once for each block of dw that reads them. Workspace: ranges * 4*K*9*C bytes where there are several.
// Error: chains of at most kWgradTiles tiles, then chains of a range's products and blocks, then of ranges, each of at most 4096.
#ifndef NCT_CONV_WINOGRAD_WGRAD_RANGES_HPP
#define NCT_CONV_WINOGRAD_WGRAD_RANGES_HPP
#include "conv_im2col_wgrad.hpp"
#include "conv_winograd.hpp"

namespace nct::NCT_ISA {

// Tiles of one chain in registers: so many rows of kPlaneWidth channels of both images, 32 KB, stay in L1 while the register tiles pass over them.
constexpr int64_t kWgradTiles = 64;

// dU, or its block that begins at (first_k, first_c): element (filter, k, c). Rows are whole vectors.
template <typename T>
struct FilterGradient {
  T* data;
  int64_t plane, row;  // numbers from a filter to the next, from a k to the next
  int64_t first_k, first_c;

  T* at(int64_t filter, int64_t k, int64_t c) const { return data + filter * plane + (k - first_k) * row + c - first_c; }
};

// block_gradient: a block of dU of kPlaneWidth k and c.
template <typename A, typename T>
inline FilterGradient<T> block_gradient(Carver& carver, int64_t first_k, int64_t first_c) {
  constexpr int64_t kPlane = kPlaneWidth * kPlaneWidth + kLine<T>;  // a cache line more than a power of two, as all planes
  return {carver.take<T>(kFilterPlanes<A> * kPlane), kPlane, kPlaneWidth, first_k, first_c};
}

// filter_gradient: dw[k,:,:,c] = G^T dU G for channels [begin, end) of one k.
template <typename A, typename T>
inline void filter_gradient(const FilterGradient<T>& du, int64_t k, int64_t begin, int64_t end, T* dw, int64_t channels) {
  typedef Vector<T> V;
  for_vectors<T>(
      end - begin, [&](int64_t i, auto part) __attribute__((always_inline)) {
        const T* const from = du.at(0, k, begin + i);
        T* const to = dw + k * 9 * channels + begin + i;
        nest<A::kFilters, 3, V>(
            [&](int row, int column) __attribute__((always_inline)) { return load(from + (row * A::kFilters + column) * du.plane); },
            [](const V(&u)[A::kFilters], V(&g)[3]) __attribute__((always_inline)) { A::template filter_transposed<T>(u, g); },
            [&](int row, int column, V v) __attribute__((always_inline)) { store(to + (row * 3 + column) * channels, v, part); });
      });
}

// The operands of a call, and where dw or its copies are written.
template <typename T>
struct WinogradWgrad {
  TileGrid grid;
  const T *x, *dy;
  T* dw;
};

// kGroupPlanes: products of A's largest group.
template <typename A>
constexpr int kGroupPlanes = [] {
  int most = 0;
  for (int group = 0; group < A::kGroups; group++) {
    const int planes = (A::kGroupRows[group + 1] - A::kGroupRows[group]) * A::kProducts;
    most = planes > most ? planes : most;
  }
  return most;
}();

// How the tiles and dw are cut; a function of the shape alone.
struct WgradRanges {
  int64_t rows, columns, row_blocks, column_blocks;  // k and c of a block of dw, and blocks
  int64_t range, ranges;                             // tiles of a range
  int64_t block;                                     // tiles transformed at a time

  int64_t blocks() const { return row_blocks * column_blocks; }
};

template <typename A, typename T>
inline WgradRanges wgrad_ranges(const TileGrid& g) {
  constexpr int64_t kTasks = 16, kLeastRange = 64, kLargestRange = 4096;
  constexpr int64_t kPlaneBytes = 288 << 10;  // of a block: with dU of a group some half of an L2 of 1 MB; the rest is for the pixels that come
  const int64_t tiles = g.tiles();
  WgradRanges b;
  b.rows = smaller(kPlaneWidth, g.out.channels);
  b.columns = smaller(kPlaneWidth, g.in.channels);
  b.row_blocks = ceil_div(g.out.channels, b.rows);
  b.column_blocks = ceil_div(g.in.channels, b.columns);
  const int64_t wanted = ceil_div(tiles, ceil_div(kTasks, b.blocks()));
  b.ranges = ceil_div(tiles, smaller(kLargestRange, larger(kLeastRange, wanted)));
  b.range = ceil_div(tiles, b.ranges);
  const int64_t tile_bytes = kGroupPlanes<A> * (b.rows + b.columns) * static_cast<int64_t>(sizeof(T));
  b.block = smaller(kWgradTiles, larger(1, kPlaneBytes / tile_bytes));
  b.block = ceil_div(b.range, ceil_div(b.range, b.block));  // all alike
  return b;
}

// A block of dw: k in [first_k, first_k + rows), c in [first_c, first_c + columns).
struct GradientBlock {
  int64_t first_k, rows, first_c, columns;
};

// A thread's own: the planes of a block of tiles, dU of a block of dw, one row of zeros for either image.
template <typename A, typename T>
struct WgradRangeThread {
  Planes<T> x, dy;
  FilterGradient<T> du;
  T* zeros;

  WgradRangeThread(Carver& carver, const WgradRanges& b, const GradientBlock& part)
      : x(carver, kGroupPlanes<A>, b.block, b.columns, Planes<T>::kRows),
        dy(carver, kGroupPlanes<A>, b.block, b.rows, Planes<T>::kRows),
        du(block_gradient<A, T>(carver, part.first_k, part.first_c)) {
    zeros = carver.take<T>(kPlaneWidth);
  }
};

// add_products: dU (+)= the products of rows Rows of a block of `tiles` transformed tiles, while `ahead` is asked for.
template <typename A, typename Rows, typename T>
inline void add_products(const WgradRangeThread<A, T>& t, const GradientBlock& part, int64_t tiles, bool accumulate, OuterAhead<T> ahead) {
  GemmOuter<T> tile;
  tile.depth = tiles;
  tile.g_stride = t.dy.row;
  tile.x_stride = t.x.row;
  tile.d_stride = t.du.row;
  for (int i = Rows::first; i < Rows::end; i++)
    for (int j = 0; j < A::kProducts; j++) {
      const int filter = A::filter_of(i) * A::kFilters + A::filter_of(j), product = (i - Rows::first) * A::kProducts + j;
      // The products of a weight follow each other, in rows as in columns, and its rows are of one group.
      const bool first = (i == Rows::first || A::filter_of(i - 1) != A::filter_of(i)) && (j == 0 || A::filter_of(j - 1) != A::filter_of(j));
      tile.accumulate = accumulate || !first;
      for (int64_t c = 0; c < part.columns; c += kPanel<T>) {
        const int64_t width = smaller(kPanel<T>, round_up(part.columns - c, lanes<T>));
        tile.columns = static_cast<int>(width);
        tile.x = t.x.at(0, c) + product * t.x.plane;
        for (int64_t k = 0; k < part.rows; k += kGemmRows) {
          tile.g = t.dy.at(0, k) + product * t.dy.plane;
          tile.d = t.du.at(filter, part.first_k + k, part.first_c + c);
          ahead.share(tile);
          run_gemm_outer(tile, width, static_cast<int>(smaller(kGemmRows, part.rows - k)));
        }
      }
    }
}

// add_group adds the products of rows Rows of tiles [begin, end) to dU. then: where the thread goes on.
template <typename A, typename Rows, typename T>
inline void add_group(const WinogradWgrad<T>& g, const WgradRanges& b, const WgradRangeThread<A, T>& t, const GradientBlock& part, int64_t begin,
                      int64_t end, int64_t then) {
  const T *const x = g.x + part.first_c, *const dy = g.dy + part.first_k;
  const int64_t register_tiles = Rows::count * A::kProducts * ceil_div(part.columns, kPanel<T>) * ceil_div(part.rows, kGemmRows);
  for (int64_t first = begin; first < end; first += b.block) {
    const int64_t tiles = smaller(b.block, end - first), next = first + tiles < end ? first + tiles : then;
    for (int64_t i = 0; i < tiles; i++) {
      transform_input<A, Rows>(g.grid, first + i, x, part.columns, t.zeros, t.x, i);
      transform_output_gradient<A, Rows>(g.grid, first + i, dy, part.rows, t.zeros, t.dy, i);
    }
    const PixelRows<T> x_rows(g.grid, g.grid.in, A::kInputStep, x, part.columns, next, smaller(end, next + b.block));
    const PixelRows<T> dy_rows(g.grid, g.grid.out, A::kOutputs, dy, part.rows, next, smaller(end, next + b.block));
    add_products<A, Rows>(t, part, tiles, first > begin, OuterAhead<T>(x_rows.runs(), dy_rows.runs(), register_tiles, tiles));
  }
}

// add_groups does so for the products of A's groups from `Group` on.
template <typename A, int Group, typename T>
inline void add_groups(const WinogradWgrad<T>& g, const WgradRanges& b, const WgradRangeThread<A, T>& t, const GradientBlock& part, int64_t begin,
                       int64_t end) {
  if constexpr (Group < A::kGroups) {
    typedef Interval<A::kGroupRows[Group], A::kGroupRows[Group + 1]> Rows;
    add_group<A, Rows>(g, b, t, part, begin, end, Group + 1 < A::kGroups ? begin : end);
    add_groups<A, Group + 1>(g, b, t, part, begin, end);
  }
}

// add_range computes a task: one block of dw, or of a copy of it, from one range.
template <typename A, typename T>
inline void add_range(const WinogradWgrad<T>& g, const WgradRanges& b, int64_t range, int64_t block, void* scratch) {
  const int64_t channels = g.grid.in.channels, filters = g.grid.out.channels;
  GradientBlock part;
  part.first_k = block / b.column_blocks * b.rows;
  part.first_c = block % b.column_blocks * b.columns;
  part.rows = smaller(b.rows, filters - part.first_k);
  part.columns = smaller(b.columns, channels - part.first_c);
  Carver carver(scratch);
  const WgradRangeThread<A, T> t(carver, b, part);
  for (int64_t c = 0; c < kPlaneWidth; c++) t.zeros[c] = 0;
  const int64_t begin = range * b.range, end = smaller(g.grid.tiles(), begin + b.range);
  add_groups<A, 0>(g, b, t, part, begin, end);
  T* const copy = g.dw + range * filters * 9 * channels;
  for (int64_t k = part.first_k; k < part.first_k + part.rows; k++)
    filter_gradient<A>(t.du, k, part.first_c, part.first_c + part.columns, copy, channels);
}

template <typename A, typename T>
inline void wgrad_by_ranges(const WinogradWgrad<T>& g, const WgradRanges& b, void* workspace, nct_pool* pool) {
  T* const copies = b.ranges > 1 ? static_cast<T*>(workspace) : g.dw;
  const WinogradWgrad<T> to_copies{g.grid, g.x, g.dy, copies};
  parallel(pool, b.ranges * b.blocks(), [&](int64_t task, int id) {
    // The blocks of a range follow each other: they share its pixels in the cache.
    add_range<A>(to_copies, b, task / b.blocks(), task % b.blocks(), nct_pool_scratch(pool, id));
  });
  if (b.ranges > 1) add_copies(pool, copies, b.ranges, g.grid.out.channels * 9 * g.grid.in.channels, g.dw);
}

template <typename A, typename T>
inline nct_requirements wgrad_by_ranges_requirements(const TileGrid& g, const WgradRanges& b) {
  Carver scratch(nullptr);
  const WgradRangeThread<A, T> t(scratch, b, {});
  return {b.ranges > 1 ? b.ranges * g.out.channels * 9 * g.in.channels * static_cast<int64_t>(sizeof(T)) : 0, scratch.bytes, 0};
}

}  // namespace nct::NCT_ISA
#endif
