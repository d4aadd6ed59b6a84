// conv_wgrad_winograd_f43, _f42: dw[k,r,s,c] = sum_{n,p,q} x[n, p*stride+r-1, q*stride+s-1, c] * dy[n,p,q,k]
//
// The gradient of a Winograd convolution by its transformed weights (winograd_f43.hpp, winograd_f42.hpp): dU[filter][k][c] = sum over tiles, and over the
// products made with that weight, of (A dy A^T)[k] * (B^T x B)[c], and dw = G^T dU G. Matrix products whose sum runs over tiles.
// Needs: 3x3, pad 1, stride 1 (f43) or 2 (f42); any H, W, C, K.
// Form:  private, where dU fits in L2: a task is a range of tiles, transformed in blocks and added to the range's own dU; the last region adds the ranges in
//        order and transforms to dw. staged, otherwise: all threads transform a block of tiles together and then add to the one dU, a task one weight
//        of kPlaneWidth k. whole, where one staged block has all tiles: a task is a block of dw, whose dU stays in the thread's L2.
//        Ranges and blocks follow from the shape.
// Cost:  2*products*ceil(P/4)*ceil(Q/4)*N*C*K flop of matrix product, 36 products a tile (f43) or 81 (f42), and the transforms.
//        Workspace: dU of each range, planes of a staged block.
// Error: chains of at most kWgradTiles tiles, then chains of products and blocks, then of ranges, each of at most 4096.
#ifndef NCT_CONV_WINOGRAD_WGRAD_HPP
#define NCT_CONV_WINOGRAD_WGRAD_HPP
#include "conv_winograd.hpp"

namespace nct::NCT_ISA {

enum class WgradForm { kPrivate, kStaged, kWhole };

// How the tiles are cut; a function of the shape alone.
struct WinogradWgradBlocking {
  WgradForm form;
  int64_t range, ranges;  // tiles of a range, each with its own dU
  int64_t block;          // tiles transformed at a time
};

constexpr int64_t kWgradTiles = 128;  // of one chain in registers

template <typename A, typename T>
inline WinogradWgradBlocking winograd_wgrad_blocking(const TileGrid& g) {
  constexpr int64_t kPrivateBytes = 640 << 10;  // of dU: most of L2
  constexpr int64_t kBlockBytes = 640 << 10;    // of a private block's planes: they pass through L2 once
  constexpr int64_t kRanges = 16, kLeastRange = 64, kLargestRange = 4096;
  constexpr int64_t kStagedBytes = 8 << 20;  // of a staged block's planes: in L3
  const int64_t size = sizeof(T), tiles = g.tiles(), tile_bytes = kPlanes<A> * (g.in.channels + g.out.channels) * size;
  WinogradWgradBlocking b;
  if (kFilterPlanes<A> * g.in.channels * g.out.channels * size > kPrivateBytes) {
    b.block = smaller(tiles, larger(1, kStagedBytes / tile_bytes / kWgradTiles) * kWgradTiles);
    b.form = b.block == tiles ? WgradForm::kWhole : WgradForm::kStaged;
    b.ranges = 1;
    b.range = tiles;
    return b;
  }
  b.form = WgradForm::kPrivate;
  b.ranges = ceil_div(tiles, smaller(kLargestRange, larger(kLeastRange, ceil_div(tiles, kRanges))));
  b.range = ceil_div(tiles, b.ranges);
  b.block = smaller(b.range, smaller(kWgradTiles, larger(1, kBlockBytes / tile_bytes)));
  return b;
}

template <typename T>
struct WinogradWgradPlanes {
  Planes<T> x, dy;

  WinogradWgradPlanes(Carver& carver, int64_t planes, int64_t tiles, const TileGrid& g)
      : x(carver, planes, tiles, g.in.channels, Planes<T>::kBlocks), dy(carver, planes, tiles, g.out.channels, Planes<T>::kBlocks) {}
};

// A row of zeros for either image.
template <typename T>
inline const T* zero_channels(Carver& carver, const TileGrid& g, bool write) {
  const int64_t n = larger(g.in.channels, g.out.channels);
  T* const zeros = carver.take<T>(n);
  for (int64_t c = 0; write && c < n; c++) zeros[c] = 0;
  return zeros;
}

// dU, or its block that begins at (first_k, first_c): element (filter, k, c). Rows are whole vectors.
template <typename T>
struct FilterGradient {
  T* data;
  int64_t plane, row;  // numbers from a filter to the next, from a k to the next
  int64_t first_k, first_c;

  T* at(int64_t filter, int64_t k, int64_t c) const { return data + filter * plane + (k - first_k) * row + c - first_c; }
};

// What all tasks of a call read.
template <typename T>
struct WinogradWgrad {
  TileGrid grid;
  WinogradWgradBlocking blocking;
  const T *x, *dy;
  T* dw;
};

// transform_wgrad_tiles fills rows [first, end) of the planes with the tiles from begin + first on.
template <typename A, typename T>
inline void transform_wgrad_tiles(const WinogradWgrad<T>& g, const T* zeros, int64_t begin, int64_t first, int64_t end,
                                  const WinogradWgradPlanes<T>& planes) {
  for (int64_t i = first; i < end; i++) {
    transform_input<A>(g.grid, begin + i, g.x, zeros, planes.x, i);
    transform_output_gradient<A>(g.grid, begin + i, g.dy, zeros, planes.dy, i);
  }
}

// add_filter: du[filter][k][c] (+)= sum over `tiles` tiles and the filter's products, for kPlaneWidth k from first_k on and the channels [begin, end).
// before() is called before each register tile.
template <typename A, typename T, typename Before>
inline void add_filter(const TileGrid& g, const WinogradWgradPlanes<T>& planes, int64_t tiles, int64_t filter, int64_t first_k, int64_t begin,
                       int64_t end, const FilterGradient<T>& du, bool accumulate, Before before) {
  const int64_t last_k = smaller(g.out.channels, first_k + kPlaneWidth);
  GemmOuter<T> tile;
  tile.g_stride = planes.dy.row;
  tile.x_stride = planes.x.row;
  tile.d_stride = du.row;
  for_products<A>(filter, [&](int64_t product) {
    for (int64_t first = 0; first < tiles; first += kWgradTiles) {
      tile.depth = smaller(kWgradTiles, tiles - first);
      tile.accumulate = accumulate;
      accumulate = true;
      for (int64_t c = begin; c < end; c += kPanel<T>) {
        const int64_t width = smaller(kPanel<T>, end - c);
        tile.columns = static_cast<int>(width);
        tile.x = planes.x.at(first, c) + product * planes.x.plane;
        for (int64_t k = first_k; k < last_k; k += kGemmRows) {
          tile.g = planes.dy.at(first, k) + product * planes.dy.plane;
          tile.d = du.at(filter, k, c);
          before();
          run_gemm_outer(tile, width, static_cast<int>(smaller(kGemmRows, last_k - k)));
        }
      }
    }
  });
}

// filter_gradient: dw[k,:,:,c] = G^T dU G for channels [begin, end) of one k, dU the sum of `copies`, each `copy` numbers after the one before.
template <typename A, typename T>
inline void filter_gradient(const FilterGradient<T>& du, int64_t k, int64_t begin, int64_t end, int64_t copies, int64_t copy, T* dw,
                            int64_t channels) {
  typedef Vector<T> V;
  for_vectors<T>(
      end - begin, [&](int64_t i, auto part) __attribute__((always_inline)) {
        const T* const from = du.at(0, k, begin + i);
        T* const to = dw + k * 9 * channels + begin + i;
        nest<A::kFilters, 3, V>(
            [&](int row, int column) __attribute__((always_inline)) {
              const T* const at = from + (row * A::kFilters + column) * du.plane;
              V sum = load(at);
              for (int64_t c = 1; c < copies; c++) sum += load(at + c * copy);
              return sum;
            },
            [](const V(&u)[A::kFilters], V(&g)[3]) __attribute__((always_inline)) { A::template filter_transposed<T>(u, g); },
            [&](int row, int column, V v) __attribute__((always_inline)) { store(to + (row * 3 + column) * channels, v, part); });
      });
}

// add_range adds the tiles of a range to its own dU.
template <typename A, typename T>
inline void add_range(const WinogradWgrad<T>& g, int64_t range, const FilterGradient<T>& du, void* scratch) {
  Carver carver(scratch);
  const T* const zeros = zero_channels<T>(carver, g.grid, true);
  const WinogradWgradPlanes<T> planes(carver, kPlanes<A>, g.blocking.block, g.grid);
  const int64_t begin = range * g.blocking.range, end = smaller(g.grid.tiles(), begin + g.blocking.range);
  const int64_t calls =
      kPlanes<A> * ceil_div(planes.x.channels, kPanel<T>) * ceil_div(g.grid.out.channels, kGemmRows);  // of a register tile, a block
  for (int64_t first = begin; first < end; first += g.blocking.block) {
    const int64_t tiles = smaller(g.blocking.block, end - first), next = first + tiles, next_end = smaller(end, next + g.blocking.block);
    transform_wgrad_tiles<A>(g, zeros, first, 0, tiles, planes);
    PixelsAhead<T> x(g.grid, g.grid.in, A::kInputStep, g.x, next, next_end, calls), dy(g.grid, g.grid.out, A::kOutputs, g.dy, next, next_end, calls);
    for (int64_t filter = 0; filter < kFilterPlanes<A>; filter++)
      for (int64_t k = 0; k < g.grid.out.channels; k += kPlaneWidth)
        add_filter<A>(g.grid, planes, tiles, filter, k, 0, planes.x.channels, du, first > begin, [&] {
          x.ask();
          dy.ask();
        });
  }
}

// transform_wgrad_block fills the planes with the tiles from `begin` on, all threads together.
template <typename A, typename T>
inline void transform_wgrad_block(const WinogradWgrad<T>& g, int64_t begin, int64_t tiles, const WinogradWgradPlanes<T>& planes, nct_pool* pool) {
  constexpr int64_t kTransformTiles = 4;  // of a task
  parallel(pool, ceil_div(tiles, kTransformTiles), [&](int64_t task, int id) {
    Carver carver(nct_pool_scratch(pool, id));
    const T* const zeros = zero_channels<T>(carver, g.grid, true);
    transform_wgrad_tiles<A>(g, zeros, begin, task * kTransformTiles, smaller(tiles, (task + 1) * kTransformTiles), planes);
  });
}

// add_staged adds all tiles to one dU, block after block.
template <typename A, typename T>
inline void add_staged(const WinogradWgrad<T>& g, const WinogradWgradPlanes<T>& planes, const FilterGradient<T>& du, nct_pool* pool) {
  const int64_t row_blocks = ceil_div(g.grid.out.channels, kPlaneWidth);
  for (int64_t begin = 0; begin < g.grid.tiles(); begin += g.blocking.block) {
    const int64_t tiles = smaller(g.blocking.block, g.grid.tiles() - begin);
    transform_wgrad_block<A>(g, begin, tiles, planes, pool);
    parallel(pool, kFilterPlanes<A> * row_blocks, [&](int64_t task, int) {
      // The last filter has the most products: it goes first, so that no thread is left with it.
      const int64_t filter = kFilterPlanes<A> - 1 - task / row_blocks;
      add_filter<A>(g.grid, planes, tiles, filter, task % row_blocks * kPlaneWidth, 0, planes.x.channels, du, begin > 0, [] {});
    });
  }
}

// The block of dU of a task of the form kWhole, in a thread's scratch.
template <typename A, typename T>
inline FilterGradient<T> whole_block(Carver& carver, int64_t first_k, int64_t first_c) {
  constexpr int64_t kPlane = kPlaneWidth * kPlaneWidth + 64 / sizeof(T);  // a cache line more than a power of two, as all planes
  return {carver.take<T>(kFilterPlanes<A> * kPlane), kPlane, kPlaneWidth, first_k, first_c};
}

// multiply_whole computes dw from planes that hold all tiles, a task a block of it.
template <typename A, typename T>
inline void multiply_whole(const WinogradWgrad<T>& g, const WinogradWgradPlanes<T>& planes, nct_pool* pool) {
  const int64_t row_blocks = ceil_div(g.grid.out.channels, kPlaneWidth), column_blocks = ceil_div(g.grid.in.channels, kPlaneWidth);
  parallel(pool, row_blocks * column_blocks, [&](int64_t task, int id) {
    const int64_t k = task / column_blocks * kPlaneWidth, c = task % column_blocks * kPlaneWidth;
    Carver carver(nct_pool_scratch(pool, id));
    const FilterGradient<T> du = whole_block<A, T>(carver, k, c);
    for (int64_t filter = 0; filter < kFilterPlanes<A>; filter++)
      add_filter<A>(g.grid, planes, g.grid.tiles(), filter, k, c, smaller(planes.x.channels, c + kPlaneWidth), du, false, [] {});
    for (int64_t i = k; i < smaller(g.grid.out.channels, k + kPlaneWidth); i++)
      filter_gradient<A>(du, i, c, smaller(g.grid.in.channels, c + kPlaneWidth), 1, 0, g.dw, g.grid.in.channels);
  });
}

// The dU of all ranges, in the workspace.
template <typename A, typename T>
inline FilterGradient<T> range_gradients(Carver& workspace, const TileGrid& g, const WinogradWgradBlocking& b) {
  const int64_t row = round_up(g.in.channels, lanes<T>), plane = g.out.channels * row;
  return {workspace.take<T>(b.form == WgradForm::kWhole ? 0 : b.ranges * kFilterPlanes<A> * plane), plane, row, 0, 0};
}

template <typename A, typename T>
void conv_wgrad_winograd(const nct_call* call, nct_pool* pool) {
  const TileGrid grid = fprop_tiles<A>(call->shape);
  const WinogradWgradBlocking b = winograd_wgrad_blocking<A, T>(grid);
  const WinogradWgrad<T> g{grid, b, operand<const T>(call, 0), operand<const T>(call, 1), operand<T>(call, 2)};
  Carver workspace(call->workspace);
  const FilterGradient<T> du = range_gradients<A, T>(workspace, grid, b);
  const int64_t copy = kFilterPlanes<A> * du.plane;
  if (b.form == WgradForm::kPrivate) {
    parallel(pool, b.ranges, [&](int64_t range, int id) {
      add_range<A>(g, range, FilterGradient<T>{du.data + range * copy, du.plane, du.row, 0, 0}, nct_pool_scratch(pool, id));
    });
  } else {
    const WinogradWgradPlanes<T> planes(workspace, kPlanes<A>, b.block, grid);
    if (b.form == WgradForm::kWhole) {
      transform_wgrad_block<A>(g, 0, b.block, planes, pool);
      multiply_whole<A>(g, planes, pool);
      return;
    }
    add_staged<A>(g, planes, du, pool);
  }
  parallel(pool, grid.out.channels, [&](int64_t k, int) { filter_gradient<A>(du, k, 0, grid.in.channels, b.ranges, copy, g.dw, grid.in.channels); });
}

template <typename A, typename T>
void conv_wgrad_winograd_requirements(const nct_shape* s, nct_requirements* need) {
  const TileGrid grid = fprop_tiles<A>(*s);
  const WinogradWgradBlocking b = winograd_wgrad_blocking<A, T>(grid);
  Carver workspace(nullptr), scratch(nullptr), block(nullptr);
  range_gradients<A, T>(workspace, grid, b);
  zero_channels<T>(scratch, grid, false);
  const WinogradWgradPlanes<T> planes(b.form == WgradForm::kPrivate ? scratch : workspace, kPlanes<A>, b.block, grid);
  if (b.form == WgradForm::kWhole) whole_block<A, T>(block, 0, 0);
  *need = {workspace.bytes, larger(scratch.bytes, block.bytes), 0};
}

}  // namespace nct::NCT_ISA
#endif
