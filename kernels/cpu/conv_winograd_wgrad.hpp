// conv_wgrad_winograd_f43, _f42: dw[k,r,s,c] = sum_{n,p,q} x[n, p*stride+r-1, q*stride+s-1, c] * dy[n,p,q,k]
//
// The gradient of a Winograd convolution by its transformed weights (winograd_f43.hpp, winograd_f42.hpp): dU[filter][k][c] = sum over tiles, and over the
// products made with that weight, of (A dy A^T)[k] * (B^T x B)[c], and dw = G^T dU G. Matrix products whose sum runs over tiles.
// Needs: 3x3, pad 1, stride 1 (f43) or 2 (f42); any H, W, C, K.
// Form:  ranges, for few channels: conv_winograd_wgrad_ranges.hpp. staged, otherwise: all threads transform a block of tiles together and then add to the one
//        dU, a task one weight of some kPlaneWidth k. whole, where one staged block has all tiles: a task is a block of dw, whose dU stays in the thread's L2.
//        Blocks follow from the shape.
// Cost:  2*products*ceil(P/4)*ceil(Q/4)*N*C*K flop of matrix product, 36 products a tile (f43) or 81 (f42), and the transforms.
//        Workspace: staged and whole: planes of a block; staged: dU.
// Error: chains of at most kWgradTiles tiles, then chains of products and blocks, each of at most 4096.
#ifndef NCT_CONV_WINOGRAD_WGRAD_HPP
#define NCT_CONV_WINOGRAD_WGRAD_HPP
#include "conv_winograd_wgrad_ranges.hpp"

namespace nct::NCT_ISA {

// few_channels: whether ranges, which transform pixels again for every block of dw, cost less than bringing planes from L3 to every core. Measured on Zen 4:
// with 1 to 4 blocks they do (4: 0.92 of staged's time), with 8 a tenth more.
inline bool few_channels(const WgradRanges& b) { return b.blocks() <= 4; }

// staged_tiles: tiles transformed at a time where channels are many: all of them (whole) where that takes little memory and leaves tasks enough, for then dU never
// leaves L2; else what stays in L3 beside dU. A function of the shape alone.
template <typename A, typename T>
inline int64_t staged_tiles(const TileGrid& g, const WgradRanges& b) {
  constexpr int64_t kWholeBytes = 32 << 20, kWholeTasks = 16, kStagedBytes = 8 << 20;
  const int64_t tile_bytes = kPlanes<A> * (g.in.channels + g.out.channels) * static_cast<int64_t>(sizeof(T));
  if (b.blocks() >= kWholeTasks && g.tiles() * tile_bytes <= kWholeBytes) return g.tiles();
  return smaller(g.tiles(), larger(1, kStagedBytes / tile_bytes / kWgradTiles) * kWgradTiles);
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

// transform_wgrad_tiles fills rows [first, end) of the planes with the tiles from begin + first on.
template <typename A, typename T>
inline void transform_wgrad_tiles(const WinogradWgrad<T>& g, const T* zeros, int64_t begin, int64_t first, int64_t end,
                                  const WinogradWgradPlanes<T>& planes) {
  for (int64_t i = first; i < end; i++) {
    transform_input<A>(g.grid, begin + i, g.x, g.grid.in.channels, zeros, planes.x, i);
    transform_output_gradient<A>(g.grid, begin + i, g.dy, g.grid.out.channels, zeros, planes.dy, i);
  }
}

// add_filters: du[filter][k][c] (+)= sum over `tiles` tiles and the filter's products, for the filters [first_filter, end_filter), kPlaneWidth k from first_k on and
// the channels [begin, end). What a panel of products reads is asked for while the panel before multiplies: planes come from L3.
template <typename A, typename T>
inline void add_filters(const TileGrid& g, const WinogradWgradPlanes<T>& planes, int64_t tiles, int64_t first_filter, int64_t end_filter,
                        int64_t first_k, int64_t begin, int64_t end, const FilterGradient<T>& du, bool accumulate) {
  struct Panel {
    int64_t filter, product, first, c;
    bool accumulate;
  };
  const int64_t last_k = smaller(g.out.channels, first_k + kPlaneWidth);
  const int64_t x_panel = kWgradTiles * planes.x.row, dy_panel = kWgradTiles * planes.dy.row;
  GemmOuter<T> tile;
  tile.g_stride = planes.dy.row;
  tile.x_stride = planes.x.row;
  tile.d_stride = du.row;
  tile.ahead_step = kLine<T>;
  const auto x_of = [&](const Panel& p) { return planes.x.at(p.first, p.c) + p.product * planes.x.plane; };
  const auto dy_of = [&](const Panel& p, int64_t k) { return planes.dy.at(p.first, k) + p.product * planes.dy.plane; };
  const auto add = [&](const Panel& p, const Panel& next) {
    const int64_t width = smaller(kPanel<T>, end - p.c);
    tile.depth = smaller(kWgradTiles, tiles - p.first);
    tile.accumulate = p.accumulate;
    tile.columns = static_cast<int>(width);
    tile.x = x_of(p);
    int64_t asked = 0;
    for (int64_t k = first_k; k < last_k; k += kGemmRows) {
      tile.g = dy_of(p, k);
      tile.d = du.at(p.filter, k, p.c);
      tile.ahead = asked < x_panel ? x_of(next) + asked : dy_of(next, first_k) + (asked - x_panel) % dy_panel;
      asked += tile.depth * kLine<T>;
      run_gemm_outer(tile, width, static_cast<int>(smaller(kGemmRows, last_k - k)));
    }
  };
  Panel held{-1, 0, 0, 0, false};
  for (int64_t filter = first_filter; filter < end_filter; filter++) {
    bool sum = accumulate;
    for_products<A>(filter, [&](int64_t product) {
      for (int64_t first = 0; first < tiles; first += kWgradTiles) {
        for (int64_t c = begin; c < end; c += kPanel<T>) {
          const Panel panel{filter, product, first, c, sum};
          if (held.filter >= 0) add(held, panel);
          held = panel;
        }
        sum = true;
      }
    });
  }
  add(held, held);
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

// add_staged adds all tiles to one dU, block after block. A task takes several blocks of k of its weight where that leaves tasks enough for all threads: all but the first
// find x's planes in the thread's L2.
template <typename A, typename T>
inline void add_staged(const WinogradWgrad<T>& g, const WinogradWgradPlanes<T>& planes, int64_t block, const FilterGradient<T>& du, nct_pool* pool) {
  const int64_t row_blocks = ceil_div(g.grid.out.channels, kPlaneWidth), tasks = kFilterPlanes<A> * row_blocks;
  const int64_t together = larger(1, smaller(row_blocks, tasks / (nct_pool_threads(pool) * kTasksOfThread))), groups = ceil_div(row_blocks, together);
  for (int64_t begin = 0; begin < g.grid.tiles(); begin += block) {
    const int64_t tiles = smaller(block, g.grid.tiles() - begin);
    transform_wgrad_block<A>(g, begin, tiles, planes, pool);
    parallel(pool, kFilterPlanes<A> * groups, [&](int64_t task, int) {
      // The last filter has the most products: it goes first, so that no thread is left with it.
      const int64_t filter = kFilterPlanes<A> - 1 - task / groups, first = task % groups * together;
      for (int64_t row_block = first; row_block < smaller(row_blocks, first + together); row_block++)
        add_filters<A>(g.grid, planes, tiles, filter, filter + 1, row_block * kPlaneWidth, 0, planes.x.channels, du, begin > 0);
    });
  }
}

// multiply_whole computes dw from planes that hold all tiles, a task a block of it.
template <typename A, typename T>
inline void multiply_whole(const WinogradWgrad<T>& g, const WinogradWgradPlanes<T>& planes, nct_pool* pool) {
  const int64_t row_blocks = ceil_div(g.grid.out.channels, kPlaneWidth), column_blocks = ceil_div(g.grid.in.channels, kPlaneWidth);
  parallel(pool, row_blocks * column_blocks, [&](int64_t task, int id) {
    const int64_t k = task / column_blocks * kPlaneWidth, c = task % column_blocks * kPlaneWidth;
    Carver carver(nct_pool_scratch(pool, id));
    const FilterGradient<T> du = block_gradient<A, T>(carver, k, c);
    add_filters<A>(g.grid, planes, g.grid.tiles(), 0, kFilterPlanes<A>, k, c, smaller(planes.x.channels, c + kPlaneWidth), du, false);
    for (int64_t i = k; i < smaller(g.grid.out.channels, k + kPlaneWidth); i++)
      filter_gradient<A>(du, i, c, smaller(g.grid.in.channels, c + kPlaneWidth), g.dw, g.grid.in.channels);
  });
}

// The dU of a call, in the workspace.
template <typename A, typename T>
inline FilterGradient<T> whole_gradient(Carver& workspace, const TileGrid& g) {
  const int64_t row = round_up(g.in.channels, lanes<T>), plane = g.out.channels * row;
  return {workspace.take<T>(kFilterPlanes<A> * plane), plane, row, 0, 0};
}

template <typename A, typename T>
void conv_wgrad_winograd(const nct_call* call, nct_pool* pool) {
  const TileGrid grid = fprop_tiles<A>(call->shape);
  const WinogradWgrad<T> g{grid, operand<const T>(call, 0), operand<const T>(call, 1), operand<T>(call, 2)};
  const WgradRanges ranges = wgrad_ranges<A, T>(grid);
  if (few_channels(ranges)) return wgrad_by_ranges<A>(g, ranges, call->workspace, pool);
  const int64_t block = staged_tiles<A, T>(grid, ranges);
  Carver workspace(call->workspace);
  const WinogradWgradPlanes<T> planes(workspace, kPlanes<A>, block, grid);
  if (block == grid.tiles()) {
    transform_wgrad_block<A>(g, 0, block, planes, pool);
    return multiply_whole<A>(g, planes, pool);
  }
  const FilterGradient<T> du = whole_gradient<A, T>(workspace, grid);
  add_staged<A>(g, planes, block, du, pool);
  parallel(pool, grid.out.channels, [&](int64_t k, int) { filter_gradient<A>(du, k, 0, grid.in.channels, g.dw, grid.in.channels); });
}

template <typename A, typename T>
void conv_wgrad_winograd_requirements(const nct_shape* s, nct_requirements* need) {
  const TileGrid grid = fprop_tiles<A>(*s);
  const WgradRanges ranges = wgrad_ranges<A, T>(grid);
  if (few_channels(ranges)) {
    *need = wgrad_by_ranges_requirements<A, T>(grid, ranges);
    return;
  }
  const int64_t block = staged_tiles<A, T>(grid, ranges);
  Carver workspace(nullptr), zeros(nullptr), gradient(nullptr);
  const WinogradWgradPlanes<T> planes(workspace, kPlanes<A>, block, grid);
  zero_channels<T>(zeros, grid, false);
  if (block == grid.tiles())
    block_gradient<A, T>(gradient, 0, 0);
  else
    whole_gradient<A, T>(workspace, grid);
  *need = {workspace.bytes, larger(zeros.bytes, gradient.bytes), 0};
}

}  // namespace nct::NCT_ISA
#endif
