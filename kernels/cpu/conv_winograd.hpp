// conv_fprop_winograd_f43, _f42: y[n,p,q,k] = sum_{r,s,c} x[n, p*stride+r-1, q*stride+s-1, c] * w[k,r,s,c]
// conv_dgrad_winograd_f43, _f42: dx[n,h,w,c] = sum_{r,s,k : h = p*stride+r-1, w = q*stride+s-1} dy[n,p,q,k] * w[k,r,s,c]
// conv_fprop_bn_*: y = conv_fprop, normalised as bn_forward does it.      conv_dgrad_add_*: dx += conv_dgrad.
// conv_fprop_stats_*: y = conv_fprop, and its statistics as bn_stats makes them (conv_fprop_stats.hpp).
//
// F(4x4, 3x3) for a stride of 1 (winograd_f43.hpp) and F(4x4, 2x2) on the phases of a stride of 2 (winograd_f42.hpp): 36 matrix products of tiles x channels
// instead of a convolution, with 1/4 and 9/16 of its multiplications. dgrad is the same with x and y exchanged and the filter turned by 180 degrees, which
// the pack does.
// Needs: 3x3, pad 1, stride 1 (f43) or 2 (f42); any H, W, C, K; w packed by the kernel's own pack.
// Task:  where the transformed weights stay in L3, some blocks of tiles, each from its inputs to its outputs: what is transformed never leaves the
//        thread's L2 (fused). Otherwise each block would read all weights from memory again, so larger blocks are transformed, multiplied and
//        transformed back by all threads together, each product's weights read once (staged).
// Cost:  2*products*ceil(P/4)*ceil(Q/4)*N*C*K flop of matrix product, 36 products a tile (f43) or 81 (f42), and the transforms.
// Error: winograd_f43.hpp, winograd_f42.hpp.
#ifndef NCT_CONV_WINOGRAD_HPP
#define NCT_CONV_WINOGRAD_HPP
#include "conv_fprop_stats.hpp"
#include "conv_im2col_rows.hpp"
#include "winograd_f42.hpp"
#include "winograd_f43.hpp"
#include "winograd_tiles.hpp"

namespace nct::NCT_ISA {

template <typename A>
constexpr int kPlanes = A::kProducts* A::kProducts;
template <typename A>
constexpr int kFilterPlanes = A::kFilters* A::kFilters;

// for_products calls body(product) for every product that is made with transformed weight `filter`.
template <typename A, typename Body>
inline void for_products(int64_t filter, Body body) {
  for (int i = 0; i < A::kProducts; i++)
    for (int j = 0; j < A::kProducts; j++)
      if (A::filter_of(i) * A::kFilters + A::filter_of(j) == filter) body(i * A::kProducts + j);
}

// staged_weights: whether the transformed weights of so many input and output channels are too large to stay in L3.
template <typename A, typename T>
constexpr bool staged_weights(int64_t in, int64_t out) {
  constexpr int64_t kFusedWeightBytes = 10 << 20;
  return kFilterPlanes<A> * in * out * static_cast<int64_t>(sizeof(T)) > kFusedWeightBytes;
}

constexpr int64_t kTransformTiles = 4;  // of a task that transforms for all threads

constexpr int64_t kMostTogether = 2;   // fused blocks that a thread takes at once
constexpr int64_t kTasksOfThread = 8;  // at least, where tasks are made larger

// How the tiles are cut; a function of the shape alone.
struct WinogradBlocking {
  bool staged;
  int64_t tiles, blocks;
  int64_t bytes;  // of a block's planes
  int64_t group;  // fused blocks of a slot

  // Slots of a statistic: one a group of fused blocks, or one for the tasks that transform the outputs of the same part of each staged block.
  int64_t slots(const TileGrid& g) const { return staged ? ceil_div(smaller(tiles, g.tiles()), kTransformTiles) : ceil_div(blocks, group); }
};

// How threads take the fused blocks. `together` blocks are transformed and multiplied as one, which reads the weights so many times less often; the bits are
// the same, since no sum but a slot's goes over tiles, and that one goes block by block. So this may follow from the machine: where L2 is large and
// there are tasks enough for all threads.
struct FusedTasks {
  int64_t together;
  int64_t slots;  // of a task
  int64_t tasks;

  FusedTasks(const WinogradBlocking& b, const nct_pool* pool) {
    together = larger(1, smaller(kMostTogether, nct_pool_cache(pool) / 2 / b.bytes));
    const int64_t all = ceil_div(b.blocks, b.group);
    if (all < nct_pool_threads(pool) * kTasksOfThread * ceil_div(together, b.group)) together = 1;
    slots = ceil_div(together, b.group);
    tasks = ceil_div(all, slots);
  }
};

template <typename A, typename T>
inline WinogradBlocking winograd_blocking(const TileGrid& g) {
  constexpr int64_t kFusedBytes = 512 << 10;  // of a fused block's two sets of planes: half of an L2 of 1 MB
  constexpr int64_t kStagedBytes = 20 << 20;  // of a staged block's, in L3
  constexpr int64_t kTasks = 64, kGroup = 4;  // fewer slots than kTasks are not made fewer by grouping blocks
  const int64_t size = sizeof(T), tile_bytes = kPlanes<A> * (g.in.channels + g.out.channels) * size, tiles = g.tiles();
  WinogradBlocking b;
  b.staged = staged_weights<A, T>(g.in.channels, g.out.channels);
  b.tiles = larger(1, (b.staged ? kStagedBytes : kFusedBytes) / tile_bytes / kGemmRows) * kGemmRows;
  b.tiles = smaller(b.tiles, round_up(tiles, kGemmRows));
  b.bytes = b.tiles * tile_bytes;
  b.blocks = ceil_div(tiles, b.tiles);
  b.group = larger(1, smaller(kGroup, b.blocks / kTasks));
  return b;
}

// The transformed inputs and outputs of a block, and where their rows lie.
template <typename T>
struct WinogradPlanes {
  Planes<T> in, out;

  WinogradPlanes(Carver& carver, int64_t planes, int64_t tiles, const TileGrid& g)
      : in(carver, planes, tiles, g.in.channels, Planes<T>::kRows), out(carver, planes, tiles, g.out.channels, Planes<T>::kRows) {}
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

// A convolution of tiles, fprop or dgrad.
template <typename T>
struct WinogradConvolution {
  TileGrid grid;
  WinogradBlocking blocking;
  const T *in, *packed;
  T* out;
};

// A part of the packed weights: those of a filter, for the panel of outputs that begins at `column`.
struct WeightPanel {
  int64_t filter, column;
};

// multiply_planes: out[product][tile][column] = sum_c in[product][tile][c] * packed[filter][c][column], for the products of a filter and a panel. `next` is
// asked for meanwhile: weights come from L3, whose latency a whole panel of them does not hide. before() is called before each register tile.
template <typename A, typename T, typename Before>
inline void multiply_planes(const WinogradConvolution<T>& g, const WinogradPlanes<T>& planes, const WinogradThread<T>& thread, int64_t tiles,
                            const WeightPanel& panel, const WeightPanel& next, Before before) {
  constexpr int64_t kNoTap[1] = {0};
  const int64_t channels = g.grid.in.channels, left = g.grid.out.channels - panel.column, width = panel_width<T>(left);
  const auto weights = [&](const WeightPanel& p, int64_t c) {
    return g.packed + p.column * kFilterPlanes<A> * channels + (p.filter * channels + c) * panel_width<T>(g.grid.out.channels - p.column);
  };
  GemmRows<T> tile;
  tile.a_stride = 0;
  tile.b_tap = kNoTap;
  tile.taps = 1;
  tile.columns = static_cast<int>(smaller(width, left));
  for (int64_t c = 0; c < channels; c += kDepthBlock) {
    tile.depth = smaller(kDepthBlock, channels - c);
    tile.b = weights(panel, c);
    tile.accumulate = c > 0;
    const T* const ahead = c + kDepthBlock < channels ? weights(panel, c + kDepthBlock) : weights(next, 0);
    for_products<A>(panel.filter, [&](int64_t product) {
      tile.a_offset = product * planes.in.plane + c;
      tile.y_offset = product * planes.out.plane + panel.column;
      for (int64_t i = 0; i < tiles; i += kGemmRows) {
        tile.a = thread.in + i;
        tile.y = thread.out + i;
        tile.rows = static_cast<int>(smaller(kGemmRows, tiles - i));
        tile.ahead = ahead + i / kGemmRows * tile.depth * kLine<T> % (tile.depth * width);
        before();
        run_gemm_rows(tile, width);
      }
    });
  }
}

// tile_moments adds what has just been stored of tiles [first, end) to a slot, for an epilogue that wants it.
template <typename A, typename T, typename Epilogue>
inline void tile_moments(const WinogradConvolution<T>&, int64_t, int64_t, int64_t, bool, const Epilogue&) {}

template <typename A, typename T>
inline void tile_moments(const WinogradConvolution<T>& g, int64_t first, int64_t end, int64_t slot, bool fresh, const OutputMoments<T>& moments) {
  constexpr int64_t kTilePixels = A::kOutputs * A::kOutputs, kTiles = kBNRowsPerSum / kTilePixels;
  const ImageSize& size = g.grid.out;
  // A tile's line of pixels lies together, and is whole where tiles divide the width.
  const int64_t together = size.w % A::kOutputs == 0 ? smaller(moments.fold, A::kOutputs) : 1;
  for (int64_t begin = first; begin < end; begin += kTiles) {
    const T* pixels[kTiles * kTilePixels];
    int64_t count = 0;
    for (int64_t tile = begin; tile < smaller(end, begin + kTiles); tile++) {
      const int64_t top = g.grid.row(tile) * A::kOutputs, left = g.grid.column(tile) * A::kOutputs;
      for (int64_t y = top; y < smaller(size.h, top + A::kOutputs); y++)
        for (int64_t x = left; x < smaller(size.w, left + A::kOutputs); x++)
          pixels[count++] = g.out + ((g.grid.image(tile) * size.h + y) * size.w + x) * size.channels;
    }
    moments.add(slot, fresh && begin == first, 0, size.channels, count, together, [&](int64_t i) { return pixels[i]; });
  }
}

// convolve_blocks computes the blocks of one fused task.
template <typename A, typename T, typename Epilogue>
inline void convolve_blocks(const WinogradConvolution<T>& g, const FusedTasks& f, int64_t task, void* scratch, const Epilogue& epilogue) {
  const WinogradBlocking& b = g.blocking;
  const int64_t most = f.together * b.tiles, slot_tiles = b.group * b.tiles, filters = g.grid.out.channels;
  Carver carver(scratch);
  const WinogradThread<T> thread(carver, most, g.grid.in.channels);
  const WinogradPlanes<T> planes(carver, kPlanes<A>, most, g.grid);
  thread.clear(g.grid.in.channels);
  const int64_t first = task * f.slots * slot_tiles, last = smaller(g.grid.tiles(), first + f.slots * slot_tiles);
  const int64_t calls = kPlanes<A> * ceil_div(g.grid.in.channels, kDepthBlock) * ceil_div(filters, kPanel<T>);
  for (int64_t begin = first; begin < last; begin += most) {
    const int64_t tiles = smaller(most, last - begin), next = begin + tiles;
    thread.point(planes, tiles);
    for (int64_t i = 0; i < tiles; i++) transform_input<A>(g.grid, begin + i, g.in, g.grid.in.channels, thread.zeros, planes.in, i);
    const PixelRows<T> rows(g.grid, g.grid.in, A::kInputStep, g.in, g.grid.in.channels, next, smaller(last, next + most));
    PixelsAhead<T> ahead(rows, calls * ceil_div(tiles, kGemmRows));
    for (int64_t filter = 0; filter < kFilterPlanes<A>; filter++)
      for (int64_t column = 0; column < filters; column += kPanel<T>) {
        const bool more = column + kPanel<T> < filters;
        const WeightPanel after{more ? filter : (filter + 1) % kFilterPlanes<A>, more ? column + kPanel<T> : 0};
        multiply_planes<A>(g, planes, thread, tiles, {filter, column}, after, [&] { ahead.ask(); });
      }
    for (int64_t i = 0; i < tiles; i++) transform_output<A>(g.grid, begin + i, planes.out, i, g.out, epilogue);
    for (int64_t block = begin; block < next; block += b.tiles)
      tile_moments<A>(g, block, smaller(next, block + b.tiles), block / slot_tiles, block % slot_tiles == 0, epilogue);
  }
  if (epilogue.streams) stream_end();
}

// convolve_staged computes all blocks, each in three regions.
template <typename A, typename T, typename Epilogue>
inline void convolve_staged(const WinogradConvolution<T>& g, const WinogradPlanes<T>& planes, nct_pool* pool, const Epilogue& epilogue) {
  const int64_t panels = ceil_div(g.grid.out.channels, kPanel<T>);
  const auto thread = [&](int id) {
    Carver carver(nct_pool_scratch(pool, id));
    return WinogradThread<T>(carver, g.blocking.tiles, g.grid.in.channels);
  };
  // The last filter has the most products: it goes first, so that no thread is left with it.
  const auto panel_of = [&](int64_t task) { return WeightPanel{kFilterPlanes<A> - 1 - task / panels, task % panels * kPanel<T>}; };
  for (int64_t begin = 0; begin < g.grid.tiles(); begin += g.blocking.tiles) {
    const int64_t tiles = smaller(g.blocking.tiles, g.grid.tiles() - begin);
    parallel(pool, ceil_div(tiles, kTransformTiles), [&](int64_t task, int id) {
      const WinogradThread<T> own = thread(id);
      own.clear(g.grid.in.channels);
      for (int64_t i = task * kTransformTiles; i < smaller(tiles, (task + 1) * kTransformTiles); i++)
        transform_input<A>(g.grid, begin + i, g.in, g.grid.in.channels, own.zeros, planes.in, i);
    });
    parallel(pool, kFilterPlanes<A> * panels, [&](int64_t task, int id) {
      const WinogradThread<T> own = thread(id);
      own.point(planes, tiles);
      const int64_t next = smaller(kFilterPlanes<A> * panels - 1, task + nct_pool_threads(pool));  // likely this thread's
      multiply_planes<A>(g, planes, own, tiles, panel_of(task), panel_of(next), [] {});
    });
    parallel_ranges(pool, tiles, kTransformTiles, [&](int64_t first, int64_t end) {
      for (int64_t i = first; i < end; i++) transform_output<A>(g.grid, begin + i, planes.out, i, g.out, epilogue);
      tile_moments<A>(g, begin + first, begin + end, first / kTransformTiles, begin == 0, epilogue);
      if (epilogue.streams) stream_end();
    });
  }
}

template <typename A, typename T, typename Epilogue>
inline void convolve_tiles(const nct_call* call, nct_pool* pool, const TileGrid& grid, T* out, const Epilogue& epilogue) {
  const WinogradBlocking b = winograd_blocking<A, T>(grid);
  const WinogradConvolution<T> g{grid, b, operand<const T>(call, 0), operand<const T>(call, 1), out};
  if (b.staged) {
    Carver workspace(call->workspace);
    convolve_staged<A>(g, WinogradPlanes<T>(workspace, kPlanes<A>, b.tiles, grid), pool, epilogue);
  } else {
    const FusedTasks f(b, pool);
    parallel(pool, f.tasks, [&](int64_t task, int id) { convolve_blocks<A>(g, f, task, nct_pool_scratch(pool, id), epilogue); });
  }
}

// convolve_outputs is convolve_tiles to outputs that the task does not read again: large ones past the caches, if their channels fill whole vectors.
template <typename A, typename T, typename Epilogue>
inline void convolve_outputs(const nct_call* call, nct_pool* pool, const TileGrid& grid, T* out, Epilogue epilogue) {
  epilogue.streams = grid.out.channels % lanes<T> == 0 && streams_output(out, grid.images * grid.out.h * grid.out.w * grid.out.channels);
  convolve_tiles<A>(call, pool, grid, out, epilogue);
}

template <typename A, typename T>
inline void convolve_tiles_requirements(const TileGrid& grid, nct_requirements* need) {
  const WinogradBlocking b = winograd_blocking<A, T>(grid);
  const int64_t most = b.staged ? b.tiles : kMostTogether * b.tiles;
  Carver scratch(nullptr), workspace(nullptr);
  const WinogradThread<T> thread(scratch, most, grid.in.channels);
  const WinogradPlanes<T> planes(b.staged ? workspace : scratch, kPlanes<A>, most, grid);
  *need = {workspace.bytes, scratch.bytes,
           kFilterPlanes<A> * packed_columns<T>(grid.out.channels) * grid.in.channels * static_cast<int64_t>(sizeof(T))};
}

template <typename A>
inline TileGrid fprop_tiles(const nct_shape& s) {
  return TileGrid::of<A>(s.n, {s.h, s.w, s.c}, {conv_p(s), conv_q(s), s.k});
}

template <typename A>
inline TileGrid dgrad_tiles(const nct_shape& s) {
  return TileGrid::of<A>(s.n, {conv_p(s), conv_q(s), s.k}, {s.h, s.w, s.c});
}

template <typename A, typename T>
void conv_fprop_winograd(const nct_call* call, nct_pool* pool) {
  convolve_outputs<A>(call, pool, fprop_tiles<A>(call->shape), operand<T>(call, 2), KeepOutput<T>{});
}

template <typename A, typename T>
void conv_fprop_bn_winograd(const nct_call* call, nct_pool* pool) {
  convolve_outputs<A>(call, pool, fprop_tiles<A>(call->shape), operand<T>(call, 7), NormalizeOutput<T>(call));
}

template <typename A, typename T>
void conv_fprop_winograd_requirements(const nct_shape* s, nct_requirements* need) {
  convolve_tiles_requirements<A, T>(fprop_tiles<A>(*s), need);
}

template <typename A, typename T>
int64_t fprop_slots(const nct_shape& s) {
  const TileGrid grid = fprop_tiles<A>(s);
  return winograd_blocking<A, T>(grid).slots(grid);
}

template <typename A, typename T>
void conv_fprop_stats_winograd(const nct_call* call, nct_pool* pool) {
  nct_requirements convolution;
  conv_fprop_winograd_requirements<A, T>(&call->shape, &convolution);
  const OutputMoments<T> moments(call, convolution, fprop_slots<A, T>(call->shape));
  convolve_tiles<A>(call, pool, fprop_tiles<A>(call->shape), operand<T>(call, 5), moments);
  moments.finish(call, pool);
}

template <typename A, typename T>
void conv_fprop_stats_winograd_requirements(const nct_shape* s, nct_requirements* need) {
  conv_fprop_winograd_requirements<A, T>(s, need);
  need->workspace += OutputMoments<T>(nullptr, fprop_slots<A, T>(*s), s->k).bytes;
}

template <typename A, typename T>
void conv_dgrad_winograd(const nct_call* call, nct_pool* pool) {
  convolve_outputs<A>(call, pool, dgrad_tiles<A>(call->shape), operand<T>(call, 2), KeepOutput<T>{});
}

template <typename A, typename T>
void conv_dgrad_add_winograd(const nct_call* call, nct_pool* pool) {
  convolve_tiles<A>(call, pool, dgrad_tiles<A>(call->shape), operand<T>(call, 2), AddToOutput<T>{});
}

template <typename A, typename T>
void conv_dgrad_winograd_requirements(const nct_shape* s, nct_requirements* need) {
  convolve_tiles_requirements<A, T>(dgrad_tiles<A>(*s), need);
}

}  // namespace nct::NCT_ISA
#endif
