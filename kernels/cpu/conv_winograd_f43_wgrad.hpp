// conv_wgrad_winograd_f43: dw[k,r,s,c] = sum_{n,p,q} x[n, p+r-1, q+s-1, c] * dy[n,p,q,k]
//
// The gradient of F(4x4, 3x3) by its transformed weights (winograd_f43.hpp): dU[product][k][c] = sum over tiles of (A dy A^T)[k] * (B^T x B)[c], and
// dw = G^T dU G. 36 matrix products whose sum runs over tiles.
// Needs: 3x3, stride 1, pad 1; any H, W, C, K.
// Task:  where dU fits in L2 (private), a range of tiles: transformed in blocks and added to the range's own dU. Otherwise (staged) all threads transform
//        a block of tiles together and then add to the one dU, a task one product of kPlaneWidth k. Ranges and blocks follow from the shape. The
//        last region adds the ranges in order and transforms to dw.
// Cost:  2*36*ceil(P/4)*ceil(Q/4)*N*C*K flop of matrix product, and the transforms.      Workspace: dU of each range, planes of a staged block.
// Error: chains of at most kWgradTiles tiles, then chains of blocks, then of ranges, each of at most 4096.
#ifndef NCT_CONV_WINOGRAD_F43_WGRAD_HPP
#define NCT_CONV_WINOGRAD_F43_WGRAD_HPP
#include "winograd_f43_tiles.hpp"

namespace nct::NCT_ISA {

// How the tiles are cut; a function of the shape alone.
struct WinogradWgradBlocking {
  bool staged;
  int64_t range, ranges;  // tiles of a range, each with its own dU
  int64_t block;          // tiles transformed at a time
};

constexpr int64_t kWgradTiles = 128;  // of one chain in registers

template <typename T>
inline WinogradWgradBlocking winograd_wgrad_blocking(const nct_shape& s) {
  constexpr int64_t kPrivateBytes = 640 << 10;  // of dU: most of L2
  constexpr int64_t kBlockTiles = 32;           // of a private block: its planes pass through L2 once
  constexpr int64_t kRanges = 16, kLeastRange = 64, kLargestRange = 4096;
  constexpr int64_t kStagedBytes = 8 << 20;  // of a staged block's planes: in L3
  const int64_t size = sizeof(T), tiles = TileGrid(s).tiles();
  WinogradWgradBlocking b;
  b.staged = kF43Products * s.c * s.k * size > kPrivateBytes;
  if (b.staged) {
    b.block = smaller(tiles, larger(1, kStagedBytes / (kF43Products * (s.c + s.k) * size) / kWgradTiles) * kWgradTiles);
    b.ranges = 1;
    b.range = tiles;
    return b;
  }
  b.ranges = ceil_div(tiles, smaller(kLargestRange, larger(kLeastRange, ceil_div(tiles, kRanges))));
  b.range = ceil_div(tiles, b.ranges);
  b.block = smaller(b.range, kBlockTiles);
  return b;
}

template <typename T>
struct WinogradWgradPlanes {
  Planes<T> x, dy;

  WinogradWgradPlanes(Carver& carver, const nct_shape& s, int64_t tiles)
      : x(carver, tiles, s.c, Planes<T>::kBlocks), dy(carver, tiles, s.k, Planes<T>::kBlocks) {}
};

// A row of zeros for either image.
template <typename T>
inline const T* zero_channels(Carver& carver, const nct_shape& s, bool write) {
  T* const zeros = carver.take<T>(larger(s.c, s.k));
  for (int64_t c = 0; write && c < larger(s.c, s.k); c++) zeros[c] = 0;
  return zeros;
}

// What all tasks of a call read: its images, and dU with rows rounded up to whole vectors.
template <typename T>
struct WinogradWgrad {
  const nct_shape& s;
  TileGrid grid;
  WinogradWgradBlocking blocking;
  const T *x, *dy;
  T* du;
};

// transform_wgrad_tiles fills rows [first, end) of the planes with the tiles from begin + first on.
template <typename T>
inline void transform_wgrad_tiles(const WinogradWgrad<T>& g, const T* zeros, int64_t begin, int64_t first, int64_t end,
                                  const WinogradWgradPlanes<T>& planes) {
  for (int64_t i = first; i < end; i++) {
    transform_input(g.grid, begin + i, g.x, g.s.c, zeros, planes.x, i);
    transform_output_gradient(g.grid, begin + i, g.dy, g.s.k, zeros, planes.dy, i);
  }
}

// add_product: du[product][k][c] (+)= sum over `tiles` tiles, for the block of kPlaneWidth k that begins at first_k and all c.
template <typename T>
inline void add_product(const nct_shape& s, const WinogradWgradPlanes<T>& planes, int64_t tiles, int64_t product, int64_t first_k, T* du,
                        bool accumulate) {
  const int64_t channels = planes.x.channels, last_k = smaller(s.k, first_k + kPlaneWidth);
  GemmOuter<T> tile;
  tile.g_stride = planes.dy.row;
  tile.x_stride = planes.x.row;
  tile.d_stride = channels;
  for (int64_t first = 0; first < tiles; first += kWgradTiles) {
    tile.depth = smaller(kWgradTiles, tiles - first);
    tile.accumulate = accumulate || first > 0;
    for (int64_t c = 0; c < channels; c += kPanel<T>) {
      const int64_t width = smaller(kPanel<T>, channels - c);
      tile.columns = static_cast<int>(width);
      tile.x = planes.x.at(first, c) + product * planes.x.plane;
      for (int64_t k = first_k; k < last_k; k += kGemmRows) {
        tile.g = planes.dy.at(first, k) + product * planes.dy.plane;
        tile.d = du + (product * s.k + k) * channels + c;
        run_gemm_outer(tile, width, static_cast<int>(smaller(kGemmRows, last_k - k)));
      }
    }
  }
}

// transform_filter_gradient: dw[k,:,:,c..] = G^T dU G for a vector of c, dU the sum of `copies`.
template <typename T, typename Width>
[[gnu::always_inline]] inline void transform_filter_gradient(const T* du, int64_t plane, int64_t copies, T* dw, int64_t channels, Width part) {
  typedef Vector<T> V;
  V half[6][3];  // [column][filter row]
  for (int j = 0; j < 6; j++) {
    V u[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++) {
      const T* from = du + (i * 6 + j) * plane;
      u[i] = load(from);
      for (int64_t copy = 1; copy < copies; copy++) u[i] += load(from + copy * kF43Products * plane);
    }
    f43_filter_transposed<T>(u, half[j]);
  }
#pragma GCC unroll 3
  for (int i = 0; i < 3; i++) {
    const V u[6] = {half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i]};
    V g[3];
    f43_filter_transposed<T>(u, g);
#pragma GCC unroll 3
    for (int j = 0; j < 3; j++) store(dw + (i * 3 + j) * channels, g[j], part);
  }
}

// add_range adds the tiles of a range to its own dU.
template <typename T>
inline void add_range(const WinogradWgrad<T>& g, int64_t range, T* du, void* scratch) {
  Carver carver(scratch);
  const T* const zeros = zero_channels<T>(carver, g.s, true);
  const WinogradWgradPlanes<T> planes(carver, g.s, g.blocking.block);
  const int64_t begin = range * g.blocking.range, end = smaller(g.grid.tiles(), begin + g.blocking.range);
  for (int64_t first = begin; first < end; first += g.blocking.block) {
    const int64_t tiles = smaller(g.blocking.block, end - first), next = first + tiles, next_tiles = smaller(g.blocking.block, end - next);
    transform_wgrad_tiles(g, zeros, first, 0, tiles, planes);
    for (int64_t product = 0; product < kF43Products; product++) {
      const int64_t share = next + next_tiles * product / kF43Products, share_end = next + next_tiles * (product + 1) / kF43Products;
      prefetch_tiles(g.grid, share, share_end, g.x, g.s.c);
      prefetch_tiles(g.grid, share, share_end, g.dy, g.s.k);
      for (int64_t k = 0; k < g.s.k; k += kPlaneWidth) add_product(g.s, planes, tiles, product, k, du, first > begin);
    }
  }
}

// add_staged adds all tiles to one dU, block after block, in two regions each.
template <typename T>
inline void add_staged(const WinogradWgrad<T>& g, const WinogradWgradPlanes<T>& planes, nct_pool* pool) {
  constexpr int64_t kTransformTiles = 4;  // of a task
  const int64_t row_blocks = ceil_div(g.s.k, kPlaneWidth);
  for (int64_t begin = 0; begin < g.grid.tiles(); begin += g.blocking.block) {
    const int64_t tiles = smaller(g.blocking.block, g.grid.tiles() - begin);
    parallel(pool, ceil_div(tiles, kTransformTiles), [&](int64_t task, int id) {
      Carver carver(nct_pool_scratch(pool, id));
      const T* const zeros = zero_channels<T>(carver, g.s, true);
      transform_wgrad_tiles(g, zeros, begin, task * kTransformTiles, smaller(tiles, (task + 1) * kTransformTiles), planes);
    });
    parallel(pool, kF43Products * row_blocks,
             [&](int64_t task, int) { add_product(g.s, planes, tiles, task / row_blocks, task % row_blocks * kPlaneWidth, g.du, begin > 0); });
  }
}

template <typename T>
void conv_wgrad_winograd_f43(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  T* const dw = operand<T>(call, 2);
  const WinogradWgradBlocking b = winograd_wgrad_blocking<T>(s);
  const int64_t row = round_up(s.c, lanes<T>), size = kF43Products * s.k * row;
  Carver workspace(call->workspace);
  T* const du = workspace.take<T>(b.ranges * size);
  const WinogradWgrad<T> g{s, TileGrid(s), b, operand<const T>(call, 0), operand<const T>(call, 1), du};
  if (b.staged) {
    add_staged(g, WinogradWgradPlanes<T>(workspace, s, b.block), pool);
  } else {
    parallel(pool, b.ranges, [&](int64_t range, int id) { add_range(g, range, du + range * size, nct_pool_scratch(pool, id)); });
  }
  parallel(pool, s.k, [&](int64_t k, int) {
    for_vectors<T>(
        s.c, [&](int64_t c, auto part) __attribute__((always_inline)) {
          transform_filter_gradient(du + k * row + c, s.k * row, b.ranges, dw + k * 9 * s.c + c, s.c, part);
        });
  });
}

template <typename T>
void conv_wgrad_winograd_f43_requirements(const nct_shape* s, nct_requirements* need) {
  const WinogradWgradBlocking b = winograd_wgrad_blocking<T>(*s);
  Carver workspace(nullptr), scratch(nullptr);
  workspace.take<T>(b.ranges * kF43Products * s->k * round_up(s->c, lanes<T>));
  zero_channels<T>(scratch, *s, false);
  const WinogradWgradPlanes<T> planes(b.staged ? workspace : scratch, *s, b.block);
  *need = {workspace.bytes, scratch.bytes, 0};
}

}  // namespace nct::NCT_ISA
#endif
