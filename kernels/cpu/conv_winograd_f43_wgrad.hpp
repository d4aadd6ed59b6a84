// conv_wgrad_winograd_f43: dw[k,r,s,c] = sum_{n,p,q} x[n, p+r-1, q+s-1, c] * dy[n,p,q,k]
//
// The gradient of F(4x4, 3x3) by its transformed weights (winograd_f43.hpp): dU[product][k][c] = sum over tiles of (A dy A^T)[k] * (B^T x B)[c], and
// dw = G^T dU G. 36 matrix products whose sum runs over tiles.
// Needs: 3x3, stride 1, pad 1; any H, W, C, K.
// Task:  where dU fits in L2 (private), a range of tiles: transformed in blocks and added to the range's own dU. Otherwise (staged) all threads transform
//        a block of tiles together and then add to the one dU, a task one product of one block of k and c. Ranges and blocks follow from the shape. The
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

constexpr int64_t kWgradTiles = 128;        // of one chain in registers
constexpr int64_t kWinogradBlockRows = 64;  // k of a staged task

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

  WinogradWgradPlanes(Carver& carver, const nct_shape& s, int64_t tiles) : x(carver, tiles, s.c), dy(carver, tiles, s.k) {}
};

// A row of zeros for either image.
template <typename T>
inline T* zero_channels(Carver& carver, const nct_shape& s) {
  return carver.take<T>(larger(s.c, s.k));
}

template <typename T>
inline void transform_wgrad_tiles(const nct_shape& s, const TileGrid& grid, const T* x, const T* dy, const T* zeros, int64_t begin, int64_t first,
                                  int64_t end, const WinogradWgradPlanes<T>& planes) {
  for (int64_t i = first; i < end; i++) {
    transform_input(grid, begin + i, x, s.c, zeros, planes.x, i);
    transform_output_gradient(grid, begin + i, dy, s.k, zeros, planes.dy, i);
  }
}

// add_product: du[product][k][c] (+)= sum over `tiles` tiles, for k in [first_k, last_k) and all c; du's rows are planes.x.row long.
template <typename T>
inline void add_product(const nct_shape& s, const WinogradWgradPlanes<T>& planes, int64_t tiles, int64_t product, int64_t first_k, int64_t last_k, T* du,
                        bool accumulate) {
  const int64_t row = planes.x.row;
  GemmOuter<T> tile;
  tile.g_stride = planes.dy.row;
  tile.x_stride = row;
  tile.d_stride = row;
  for (int64_t first = 0; first < tiles; first += kWgradTiles) {
    tile.depth = smaller(kWgradTiles, tiles - first);
    tile.accumulate = accumulate || first > 0;
    for (int64_t c = 0; c < row; c += kPanel<T>) {
      const int64_t width = smaller(kPanel<T>, row - c);
      tile.columns = static_cast<int>(width);
      tile.x = planes.x.at(first) + product * planes.x.plane + c;
      for (int64_t k = first_k; k < last_k; k += kGemmRows) {
        tile.g = planes.dy.at(first) + product * planes.dy.plane + k;
        tile.d = du + (product * s.k + k) * row + c;
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

template <typename T>
void conv_wgrad_winograd_f43(const nct_call* call, nct_pool* pool) {
  constexpr int64_t kTransformTiles = 4;  // of a task of a staged block
  const nct_shape& s = call->shape;
  const T* const x = operand<const T>(call, 0);
  const T* const dy = operand<const T>(call, 1);
  T* const dw = operand<T>(call, 2);
  const TileGrid grid(s);
  const WinogradWgradBlocking b = winograd_wgrad_blocking<T>(s);
  const int64_t row = round_up(s.c, lanes<T>), size = kF43Products * s.k * row;
  Carver workspace(call->workspace);
  T* const du = workspace.take<T>(b.ranges * size);
  const auto scratch_zeros = [&](Carver& carver) {
    T* const zeros = zero_channels<T>(carver, s);
    for (int64_t c = 0; c < larger(s.c, s.k); c++) zeros[c] = 0;
    return zeros;
  };
  if (!b.staged) {
    parallel(pool, b.ranges, [&](int64_t range, int id) {
      Carver carver(nct_pool_scratch(pool, id));
      const T* const zeros = scratch_zeros(carver);
      const WinogradWgradPlanes<T> planes(carver, s, b.block);
      const int64_t begin = range * b.range, end = smaller(grid.tiles(), begin + b.range);
      for (int64_t first = begin; first < end; first += b.block) {
        const int64_t tiles = smaller(b.block, end - first);
        transform_wgrad_tiles(s, grid, x, dy, zeros, first, 0, tiles, planes);
        for (int64_t product = 0; product < kF43Products; product++)
          add_product(s, planes, tiles, product, 0, s.k, du + range * size, first > begin);
      }
    });
  } else {
    const WinogradWgradPlanes<T> planes(workspace, s, b.block);
    const int64_t row_blocks = ceil_div(s.k, kWinogradBlockRows);
    for (int64_t begin = 0; begin < grid.tiles(); begin += b.block) {
      const int64_t tiles = smaller(b.block, grid.tiles() - begin);
      parallel(pool, ceil_div(tiles, kTransformTiles), [&](int64_t task, int id) {
        Carver carver(nct_pool_scratch(pool, id));
        const T* const zeros = scratch_zeros(carver);
        transform_wgrad_tiles(s, grid, x, dy, zeros, begin, task * kTransformTiles, smaller(tiles, (task + 1) * kTransformTiles), planes);
      });
      parallel(pool, kF43Products * row_blocks, [&](int64_t task, int) {
        const int64_t k = task % row_blocks * kWinogradBlockRows;
        add_product(s, planes, tiles, task / row_blocks, k, smaller(s.k, k + kWinogradBlockRows), du, begin > 0);
      });
    }
  }
  parallel(pool, s.k, [&](int64_t k, int) {
    for_vectors<T>(s.c, [&](int64_t c, auto part) __attribute__((always_inline)) {
      transform_filter_gradient(du + k * row + c, s.k * row, b.ranges, dw + k * 9 * s.c + c, s.c, part);
    });
  });
}

template <typename T>
void conv_wgrad_winograd_f43_requirements(const nct_shape* s, nct_requirements* need) {
  const WinogradWgradBlocking b = winograd_wgrad_blocking<T>(*s);
  Carver workspace(nullptr), scratch(nullptr);
  workspace.take<T>(b.ranges * kF43Products * s->k * round_up(s->c, lanes<T>));
  zero_channels<T>(scratch, *s);
  const WinogradWgradPlanes<T> planes(b.staged ? workspace : scratch, *s, b.block);
  *need = {workspace.bytes, scratch.bytes, 0};
}

}
#endif
