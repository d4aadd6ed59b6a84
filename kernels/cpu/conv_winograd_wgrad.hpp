// conv_wgrad_winograd_f43, _f42: dw[k,r,s,c] = sum_{n,p,q} x[n, p*stride+r-1, q*stride+s-1, c] * dy[n,p,q,k]
//
// The gradient of a Winograd convolution by its transformed weights (winograd_f43.hpp, winograd_f42.hpp): dU[filter][k][c] = sum over tiles, and over the
// products made with that weight, of (A dy A^T)[k] * (B^T x B)[c], and dw = G^T dU G. Matrix products whose sum runs over tiles.
// Needs: 3x3, pad 1, stride 1 (f43) or 2 (f42); any H, W, C, K.
// Form:  ranges (conv_winograd_wgrad_ranges.hpp), or whole, where dw has many blocks and few tiles: all threads transform all tiles together, and then a task is a
//        block of dw, whose dU stays in the thread's L2.
// Cost:  2*products*ceil(P/4)*ceil(Q/4)*N*C*K flop of matrix product, 36 products a tile (f43) or 81 (f42), and the transforms.
//        Workspace of whole: planes of all tiles.
// Error: chains of at most kWgradTiles tiles, then a chain of products and of such chains, of at most 4096.
#ifndef NCT_CONV_WINOGRAD_WGRAD_HPP
#define NCT_CONV_WINOGRAD_WGRAD_HPP
#include "conv_winograd_wgrad_ranges.hpp"

namespace nct::NCT_ISA {

// all_tiles_at_once: whether to transform all tiles before any product. Ranges transform pixels again for every block of dw that reads them; planes of all tiles go
// from thread to thread through L3, or between two of them. On Zen 4 (512 channels, 128 tiles) whole takes 0.92 of ranges' time with threads on one L3, 0.95 on two.
// With more planes, which have to be cut and their dU kept outside L2, it is 0.95 on one L3 and 1.2 on two. A function of the shape alone.
template <typename A, typename T>
inline bool all_tiles_at_once(const TileGrid& g, const WgradRanges& b) {
  constexpr int64_t kPlaneBytes = 32 << 20, kTasks = 16;
  return b.blocks() >= kTasks && kPlanes<A> * g.tiles() * (g.in.channels + g.out.channels) * static_cast<int64_t>(sizeof(T)) <= kPlaneBytes;
}

template <typename T>
struct WinogradWgradPlanes {
  Planes<T> x, dy;

  WinogradWgradPlanes(Carver& carver, int64_t planes, const TileGrid& g)
      : x(carver, planes, g.tiles(), g.in.channels, Planes<T>::kBlocks), dy(carver, planes, g.tiles(), g.out.channels, Planes<T>::kBlocks) {}
};

// A row of zeros for either image.
template <typename T>
inline const T* zero_channels(Carver& carver, const TileGrid& g, bool write) {
  const int64_t n = larger(g.in.channels, g.out.channels);
  T* const zeros = carver.take<T>(n);
  for (int64_t c = 0; write && c < n; c++) zeros[c] = 0;
  return zeros;
}

// transform_all fills the planes.
template <typename A, typename T>
inline void transform_all(const WinogradWgrad<T>& g, const WinogradWgradPlanes<T>& planes, nct_pool* pool) {
  parallel(pool, ceil_div(g.grid.tiles(), kTransformTiles), [&](int64_t task, int id) {
    Carver carver(nct_pool_scratch(pool, id));
    const T* const zeros = zero_channels<T>(carver, g.grid, true);
    for (int64_t i = task * kTransformTiles; i < smaller(g.grid.tiles(), (task + 1) * kTransformTiles); i++) {
      transform_input<A>(g.grid, i, g.x, g.grid.in.channels, zeros, planes.x, i);
      transform_output_gradient<A>(g.grid, i, g.dy, g.grid.out.channels, zeros, planes.dy, i);
    }
  });
}

// multiply_block: du[filter][k][c] = sum over all tiles and the filter's products, for kPlaneWidth k from first_k and c from first_c on. What a chunk of tiles
// reads is asked for while the chunk before multiplies: planes come from L3.
template <typename A, typename T>
inline void multiply_block(const TileGrid& g, const WinogradWgradPlanes<T>& planes, int64_t first_k, int64_t first_c, const FilterGradient<T>& du) {
  struct Chunk {
    int64_t filter, product, first;
    bool accumulate;
  };
  const int64_t last_k = smaller(g.out.channels, first_k + kPlaneWidth), last_c = smaller(planes.x.channels, first_c + kPlaneWidth);
  const int64_t register_tiles = ceil_div(last_c - first_c, kPanel<T>) * ceil_div(last_k - first_k, kGemmRows);
  GemmOuter<T> tile;
  tile.g_stride = planes.dy.row;
  tile.x_stride = planes.x.row;
  tile.d_stride = du.row;
  const auto x_of = [&](const Chunk& chunk, int64_t c) { return planes.x.at(chunk.first, c) + chunk.product * planes.x.plane; };
  const auto dy_of = [&](const Chunk& chunk, int64_t k) { return planes.dy.at(chunk.first, k) + chunk.product * planes.dy.plane; };
  const auto add = [&](const Chunk& chunk, const Chunk& next) {
    tile.depth = smaller(kWgradTiles, g.tiles() - chunk.first);
    tile.accumulate = chunk.accumulate;
    OuterAhead<T> ahead({x_of(next, first_c), planes.x.row, kWgradTiles}, {dy_of(next, first_k), planes.dy.row, kWgradTiles}, register_tiles,
                        tile.depth);
    for (int64_t c = first_c; c < last_c; c += kPanel<T>) {
      const int64_t width = smaller(kPanel<T>, last_c - c);
      tile.columns = static_cast<int>(width);
      tile.x = x_of(chunk, c);
      for (int64_t k = first_k; k < last_k; k += kGemmRows) {
        tile.g = dy_of(chunk, k);
        tile.d = du.at(chunk.filter, k, c);
        ahead.share(tile);
        run_gemm_outer(tile, width, static_cast<int>(smaller(kGemmRows, last_k - k)));
      }
    }
  };
  Chunk held{-1, 0, 0, false};
  for (int64_t filter = 0; filter < kFilterPlanes<A>; filter++) {
    bool accumulate = false;
    for_products<A>(filter, [&](int64_t product) {
      for (int64_t first = 0; first < g.tiles(); first += kWgradTiles) {
        const Chunk chunk{filter, product, first, accumulate};
        if (held.filter >= 0) add(held, chunk);
        held = chunk;
        accumulate = true;
      }
    });
  }
  add(held, held);
}

template <typename A, typename T>
inline void wgrad_of_all_tiles(const WinogradWgrad<T>& g, const WgradRanges& b, void* workspace, nct_pool* pool) {
  Carver planes_of(workspace);
  const WinogradWgradPlanes<T> planes(planes_of, kPlanes<A>, g.grid);
  transform_all<A>(g, planes, pool);
  parallel(pool, b.blocks(), [&](int64_t task, int id) {
    const int64_t k = task / b.column_blocks * kPlaneWidth, c = task % b.column_blocks * kPlaneWidth;
    Carver carver(nct_pool_scratch(pool, id));
    const FilterGradient<T> du = block_gradient<A, T>(carver, k, c);
    multiply_block<A>(g.grid, planes, k, c, du);
    for (int64_t i = k; i < smaller(g.grid.out.channels, k + kPlaneWidth); i++)
      filter_gradient<A>(du, i, c, smaller(g.grid.in.channels, c + kPlaneWidth), g.dw, g.grid.in.channels);
  });
}

template <typename A, typename T>
void conv_wgrad_winograd(const nct_call* call, nct_pool* pool) {
  const TileGrid grid = fprop_tiles<A>(call->shape);
  const WinogradWgrad<T> g{grid, operand<const T>(call, 0), operand<const T>(call, 1), operand<T>(call, 2)};
  const WgradRanges ranges = wgrad_ranges<A, T>(grid);
  if (all_tiles_at_once<A, T>(grid, ranges))
    wgrad_of_all_tiles<A>(g, ranges, call->workspace, pool);
  else
    wgrad_by_ranges<A>(g, ranges, call->workspace, pool);
}

template <typename A, typename T>
void conv_wgrad_winograd_requirements(const nct_shape* s, nct_requirements* need) {
  const TileGrid grid = fprop_tiles<A>(*s);
  const WgradRanges ranges = wgrad_ranges<A, T>(grid);
  if (!all_tiles_at_once<A, T>(grid, ranges)) {
    *need = wgrad_by_ranges_requirements<A, T>(grid, ranges);
    return;
  }
  Carver workspace(nullptr), zeros(nullptr), gradient(nullptr);
  const WinogradWgradPlanes<T> planes(workspace, kPlanes<A>, grid);
  zero_channels<T>(zeros, grid, false);
  block_gradient<A, T>(gradient, 0, 0);
  *need = {workspace.bytes, larger(zeros.bytes, gradient.bytes), 0};
}

}  // namespace nct::NCT_ISA
#endif
