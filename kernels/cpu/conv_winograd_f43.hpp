// conv_fprop_winograd_f43: y[n,p,q,k] = sum_{r,s,c} x[n, p+r-1, q+s-1, c] * w[k,r,s,c]
// conv_dgrad_winograd_f43: dx[n,h,w,c] = sum_{r,s,k} dy[n, h+1-r, w+1-s, k] * w[k,r,s,c]
//
// F(4x4, 3x3) (winograd_f43.hpp): 36 matrix products of tiles x channels instead of a convolution, 1/4 of its multiplications. dgrad is the same with
// x and y exchanged and the filter turned by 180 degrees, which the pack does.
// Needs: 3x3, stride 1, pad 1; any H, W, C, K; w packed by conv_fprop_winograd_f43_pack or conv_dgrad_winograd_f43_pack.
// Task:  where the transformed weights stay in L3, some blocks of tiles, each from its inputs to its outputs: what is transformed never leaves the
//        thread's L2 (fused). Otherwise each block would read all weights from memory again, so larger blocks are transformed, multiplied and
//        transformed back by all threads together, each product's weights read once (staged).
// Cost:  2*36*ceil(P/4)*ceil(Q/4)*N*C*K flop of matrix product, and the transforms: input 144, output 96 multiply-adds or adds a tile and channel.
// Error: winograd_f43.hpp.
#ifndef NCT_CONV_WINOGRAD_F43_HPP
#define NCT_CONV_WINOGRAD_F43_HPP
#include "winograd_f43_tiles.hpp"

namespace nct::NCT_ISA {

// How the tiles are cut; a function of the shape alone.
struct WinogradBlocking {
  bool staged;
  int64_t tiles, blocks;
  int64_t group;  // blocks of a fused task
};

template <typename T>
inline WinogradBlocking winograd_blocking(const nct_shape& s) {
  constexpr int64_t kFusedWeightBytes = 10 << 20;  // of transformed weights, which stay in L3
  constexpr int64_t kFusedBytes = 512 << 10;       // of a fused block's two sets of planes: half of L2
  constexpr int64_t kStagedBytes = 16 << 20;       // of a staged block's, in L3
  constexpr int64_t kTasks = 64, kGroup = 4;       // fewer tasks than kTasks are not made fewer by grouping blocks
  const int64_t size = sizeof(T), tile_bytes = kF43Products * (s.c + s.k) * size, tiles = TileGrid(s).tiles();
  WinogradBlocking b;
  b.staged = kF43Products * s.c * s.k * size > kFusedWeightBytes;
  b.tiles = larger(1, (b.staged ? kStagedBytes : kFusedBytes) / tile_bytes / kGemmRows) * kGemmRows;
  b.tiles = smaller(b.tiles, round_up(tiles, kGemmRows));
  b.blocks = ceil_div(tiles, b.tiles);
  b.group = larger(1, smaller(kGroup, b.blocks / kTasks));
  return b;
}

// The transformed inputs and outputs of a block, and where their rows lie.
template <typename T>
struct WinogradPlanes {
  Planes<T> in, out;

  WinogradPlanes(Carver& carver, int64_t tiles, int64_t in_channels, int64_t out_channels)
      : in(carver, tiles, in_channels, Planes<T>::kRows), out(carver, tiles, out_channels, Planes<T>::kRows) {}
};

// A thread's own: pointers to the rows of the planes, one row of zeros.
template <typename T>
struct WinogradThread {
  const T** in;
  T** out;
  T* zeros;

  WinogradThread(Carver& carver, int64_t tiles, int64_t channels) {
    in = carver.take<const T*>(tiles);
    out = carver.take<T*>(tiles);
    zeros = carver.take<T>(channels);
  }
  // point sets the pointers; in rows up to a whole register tile can be read, whatever stands there.
  void point(const WinogradPlanes<T>& planes, int64_t tiles) const {
    for (int64_t i = 0; i < round_up(tiles, kGemmRows); i++) {
      in[i] = planes.in.at(smaller(i, tiles - 1), 0);
      out[i] = planes.out.at(smaller(i, tiles - 1), 0);
    }
  }
  void clear(int64_t channels) const {
    for (int64_t c = 0; c < channels; c++) zeros[c] = 0;
  }
};

// multiply_plane: out[product][tile][column] = sum_c in[product][tile][c] * packed[product][c][column], for the panel that begins at `column`.
template <typename T>
inline void multiply_plane(const WinogradPlanes<T>& planes, const WinogradThread<T>& thread, int64_t tiles, int64_t product, const T* packed,
                           int64_t channels, int64_t column, int64_t columns) {
  constexpr int64_t kNoTap[1] = {0};
  const int64_t width = panel_width<T>(columns - column);
  GemmRows<T> tile;
  tile.a_stride = 0;
  tile.b_tap = kNoTap;
  tile.taps = 1;
  tile.columns = static_cast<int>(smaller(width, columns - column));
  tile.y_offset = product * planes.out.plane + column;
  for (int64_t c = 0; c < channels; c += kDepthBlock) {
    tile.depth = smaller(kDepthBlock, channels - c);
    tile.a_offset = product * planes.in.plane + c;
    tile.b = packed + column * kF43Products * channels + (product * channels + c) * width;
    tile.accumulate = c > 0;
    for (int64_t i = 0; i < tiles; i += kGemmRows) {
      tile.a = thread.in + i;
      tile.y = thread.out + i;
      tile.rows = static_cast<int>(smaller(kGemmRows, tiles - i));
      run_gemm_rows(tile, width);
    }
  }
}

// A convolution of tiles, fprop or dgrad: in [n,h,w,in_channels], out [n,h,w,out_channels].
template <typename T>
struct WinogradConvolution {
  TileGrid grid;
  WinogradBlocking blocking;
  const T* in;
  int64_t in_channels;
  const T* packed;
  T* out;
  int64_t out_channels;
};

// convolve_blocks computes the blocks of one fused task.
template <typename T>
inline void convolve_blocks(const WinogradConvolution<T>& g, int64_t task, void* scratch) {
  const WinogradBlocking& b = g.blocking;
  Carver carver(scratch);
  const WinogradThread<T> thread(carver, b.tiles, g.in_channels);
  const WinogradPlanes<T> planes(carver, b.tiles, g.in_channels, g.out_channels);
  thread.clear(g.in_channels);
  const int64_t last = smaller(g.grid.tiles(), (task + 1) * b.group * b.tiles);
  for (int64_t begin = task * b.group * b.tiles; begin < last; begin += b.tiles) {
    const int64_t tiles = smaller(b.tiles, last - begin), next = begin + tiles, next_tiles = smaller(b.tiles, last - next);
    thread.point(planes, tiles);
    for (int64_t i = 0; i < tiles; i++) transform_input(g.grid, begin + i, g.in, g.in_channels, thread.zeros, planes.in, i);
    for (int64_t product = 0; product < kF43Products; product++) {
      prefetch_tiles(g.grid, next + next_tiles * product / kF43Products, next + next_tiles * (product + 1) / kF43Products, g.in, g.in_channels);
      for (int64_t column = 0; column < g.out_channels; column += kPanel<T>)
        multiply_plane(planes, thread, tiles, product, g.packed, g.in_channels, column, g.out_channels);
    }
    for (int64_t i = 0; i < tiles; i++) transform_output(g.grid, begin + i, planes.out, i, g.out, g.out_channels);
  }
}

// convolve_staged computes all blocks, each in three regions.
template <typename T>
inline void convolve_staged(const WinogradConvolution<T>& g, const WinogradPlanes<T>& planes, nct_pool* pool) {
  constexpr int64_t kTransformTiles = 4;  // of a task
  const int64_t panels = ceil_div(g.out_channels, kPanel<T>);
  const auto thread = [&](int id) {
    Carver carver(nct_pool_scratch(pool, id));
    return WinogradThread<T>(carver, g.blocking.tiles, g.in_channels);
  };
  for (int64_t begin = 0; begin < g.grid.tiles(); begin += g.blocking.tiles) {
    const int64_t tiles = smaller(g.blocking.tiles, g.grid.tiles() - begin);
    parallel(pool, ceil_div(tiles, kTransformTiles), [&](int64_t task, int id) {
      const WinogradThread<T> own = thread(id);
      own.clear(g.in_channels);
      for (int64_t i = task * kTransformTiles; i < smaller(tiles, (task + 1) * kTransformTiles); i++)
        transform_input(g.grid, begin + i, g.in, g.in_channels, own.zeros, planes.in, i);
    });
    parallel(pool, kF43Products * panels, [&](int64_t task, int id) {
      const WinogradThread<T> own = thread(id);
      own.point(planes, tiles);
      multiply_plane(planes, own, tiles, task / panels, g.packed, g.in_channels, task % panels * kPanel<T>, g.out_channels);
    });
    parallel_ranges(pool, tiles, kTransformTiles, [&](int64_t first, int64_t end) {
      for (int64_t i = first; i < end; i++) transform_output(g.grid, begin + i, planes.out, i, g.out, g.out_channels);
    });
  }
}

template <typename T>
inline void convolve_tiles(const nct_call* call, nct_pool* pool, int64_t in_channels, int64_t out_channels) {
  const WinogradBlocking b = winograd_blocking<T>(call->shape);
  const WinogradConvolution<T> g{TileGrid(call->shape), b,           operand<const T>(call, 0), in_channels, operand<const T>(call, 1),
                                 operand<T>(call, 2),   out_channels};
  if (b.staged) {
    Carver workspace(call->workspace);
    convolve_staged(g, WinogradPlanes<T>(workspace, b.tiles, in_channels, out_channels), pool);
  } else {
    parallel(pool, ceil_div(b.blocks, b.group), [&](int64_t task, int id) { convolve_blocks(g, task, nct_pool_scratch(pool, id)); });
  }
}

template <typename T>
inline void convolve_tiles_requirements(const nct_shape& s, int64_t in_channels, int64_t out_channels, nct_requirements* need) {
  const WinogradBlocking b = winograd_blocking<T>(s);
  Carver scratch(nullptr), workspace(nullptr);
  const WinogradThread<T> thread(scratch, b.tiles, in_channels);
  const WinogradPlanes<T> planes(b.staged ? workspace : scratch, b.tiles, in_channels, out_channels);
  *need = {workspace.bytes, scratch.bytes, kF43Products * packed_columns<T>(out_channels) * in_channels * static_cast<int64_t>(sizeof(T))};
}

template <typename T>
void conv_fprop_winograd_f43(const nct_call* call, nct_pool* pool) {
  convolve_tiles<T>(call, pool, call->shape.c, call->shape.k);
}

template <typename T>
void conv_fprop_winograd_f43_requirements(const nct_shape* s, nct_requirements* need) {
  convolve_tiles_requirements<T>(*s, s->c, s->k, need);
}

template <typename T>
void conv_dgrad_winograd_f43(const nct_call* call, nct_pool* pool) {
  convolve_tiles<T>(call, pool, call->shape.k, call->shape.c);
}

template <typename T>
void conv_dgrad_winograd_f43_requirements(const nct_shape* s, nct_requirements* need) {
  convolve_tiles_requirements<T>(*s, s->k, s->c, need);
}

}  // namespace nct::NCT_ISA
#endif
