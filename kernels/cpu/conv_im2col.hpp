// conv_fprop_im2col: y[n,p,q,k] = sum_{r,s,c} x[n, p*stride+r-pad, q*stride+s-pad, c] * w[k,r,s,c]
// conv_dgrad_im2col: dx[n,h,w,c] = sum_{r,s,k : h = p*stride+r-pad, w = q*stride+s-pad} dy[n,p,q,k] * w[k,r,s,c]
// conv_fprop_bn_im2col: y = conv_fprop, normalised as bn_forward does it while the block is in the cache.
// conv_fprop_stats_im2col: y = conv_fprop, and its statistics as bn_stats makes them (conv_fprop_stats.hpp).
// conv_dgrad_add_im2col: dx += conv_dgrad; pixels that no tap reaches (1x1, stride 2) are not touched. Needs: a sum of one depth block.
//
// An implicit matrix product: rows are output pixels, columns output channels, the sum runs over taps and input channels. Pixels are read where they
// lie (conv_im2col_rows.hpp), weights come packed in panels of columns (conv_im2col_pack.hpp).
// Task:  a block of rows times a group of column panels. Within it a panel's kDepthBlock x kPanel part stays in L2 while the rows pass over it.
// Needs: w packed by conv_fprop_im2col_pack or conv_dgrad_im2col_pack.      Scratch: pointers of a row block, one row of zeros.
// Cost:  2*N*P*Q*K*R*S*C flop (dgrad: as many, whatever the stride; its edges included).
// Error: chains of at most kDepthBlock products, then a chain of ceil(R*S*C / chain) partial sums: fewer roundings a product than one chain.
#ifndef NCT_CONV_IM2COL_HPP
#define NCT_CONV_IM2COL_HPP
#include "conv_fprop_stats.hpp"
#include "conv_im2col_rows.hpp"
#include "epilogue.hpp"

namespace nct::NCT_ISA {

// How a grid is cut; a function of the shape alone.
struct RowBlocking {
  int64_t rows;            // of a block, a multiple of kGemmRows
  int64_t panels;          // of a task
  int64_t chunk;           // channels of a depth block, where one tap has more than kDepthBlock
  int64_t taps;            // of a depth block
  int64_t blocks, groups;  // tasks = blocks * groups
};

inline RowBlocking row_blocking(const Grid& grid) {
  constexpr int64_t kBlockRows = 96, kLargestBlockRows = 480;  // 16 and 80 tiles
  constexpr int64_t kTaskProducts = 2 << 20;                   // some 20 us: far more than a task costs to claim
  constexpr int64_t kPanelBytes = 512 << 10;                   // of packed weights a task may go through: half of L2
  const int64_t depth = larger(1, grid.taps() * grid.in_channels), columns = grid.out_channels;
  RowBlocking b;
  b.panels = larger(1, smaller(ceil_div(columns, kPanel<float>), kPanelBytes / (depth * kPanel<float> * 4)));
  b.groups = ceil_div(ceil_div(columns, kPanel<float>), b.panels);
  const int64_t wanted = kTaskProducts / (depth * smaller(columns, b.panels * kPanel<float>));
  b.rows = round_up(smaller(larger(wanted, kBlockRows), kLargestBlockRows), kGemmRows);
  b.blocks = ceil_div(grid.rows(), b.rows);
  b.chunk = ceil_div(grid.in_channels, ceil_div(grid.in_channels, kDepthBlock));
  b.taps = larger(1, kDepthBlock / grid.in_channels);
  return b;
}

// A thread's scratch: the pointer tables of a row block, the places of the taps in a panel, one row of zeros.
struct RowScratch {
  const float** in;
  float** out;
  int64_t* tap;
  float* zeros;
  int64_t bytes;

  RowScratch(void* memory, const Grid& grid, const RowBlocking& b) {
    Carver carver(memory);
    in = carver.take<const float*>(grid.taps() * b.rows);
    out = carver.take<float*>(b.rows);
    tap = carver.take<int64_t>(grid.taps());
    zeros = carver.take<float>(grid.in_channels);
    bytes = carver.bytes;
  }
};

// finish_rows passes columns [first, end) of `count` rows of outputs, which lie in memory, through an epilogue.
template <typename Epilogue>
inline void finish_rows(float* const* rows, int64_t count, int64_t first, int64_t end, const Epilogue& epilogue) {
  for_vectors<float>(end - first, [&](int64_t i, auto part) {
    const auto finish = epilogue.at(first + i, part);
    for (int64_t row = 0; row < count; row++) {
      float* const at = rows[row] + first + i;
      store(at, finish(load(at, part), at, part), part);
    }
  });
}

inline void finish_rows(float* const*, int64_t, int64_t, int64_t, const KeepOutput<float>&) {}
inline void finish_rows(float* const*, int64_t, int64_t, int64_t, const OutputMoments<float>&) {}

// block_moments leaves the moments of columns [first, end) of a block's `count` rows of outputs in the block's slot, for an epilogue that wants them.
template <typename Epilogue>
inline void block_moments(float* const*, int64_t, int64_t, int64_t, int64_t, const Epilogue&) {}

inline void block_moments(float* const* rows, int64_t count, int64_t first, int64_t end, int64_t block, const OutputMoments<float>& moments) {
  const bool all = end - first == moments.channels;  // then one row follows the other
  moments.add(block, true, first, end, count, all ? moments.fold : 1, [=](int64_t i) { return rows[i]; });
}

// What a convolution is made of beside its grid. The packed weights hold all taps of the filter (R*S of them), whatever the grid's.
template <typename Epilogue>
struct GridConvolution {
  const float *in, *packed;
  float* out;
  int64_t filter_taps, filter_s;
  bool accumulate;  // the result is added to out
  Epilogue epilogue;
};

// grid_block computes one task of a grid.
template <typename Epilogue>
inline void grid_block(const Grid& grid, const RowBlocking& b, int64_t task, const GridConvolution<Epilogue>& g, void* memory) {
  if (g.accumulate && grid.taps() == 0) return;
  const int64_t begin = task % b.blocks * b.rows, group = task / b.blocks;
  const int64_t rows = smaller(b.rows, grid.rows() - begin), channels = grid.in_channels;
  const RowScratch scratch(memory, grid, b);
  for (int64_t c = 0; c < channels; c++) scratch.zeros[c] = 0;
  grid_inputs(grid, begin, rows, g.in, scratch.zeros, scratch.in, b.rows);
  grid_outputs(grid, begin, rows, g.out, scratch.out);
  for (int tap = 0; tap < grid.taps(); tap++)
    for (int64_t i = rows; i < round_up(rows, kGemmRows); i++) scratch.in[tap * b.rows + i] = scratch.zeros;

  GemmRows<float> tile;
  tile.a_stride = b.rows;
  const int64_t first_column = group * b.panels * kPanel<float>, last_column = smaller(grid.out_channels, first_column + b.panels * kPanel<float>);
  for (int64_t column = first_column; column < last_column; column += kPanel<float>) {
    const int64_t left = grid.out_channels - column, width = panel_width<float>(left);
    for (int tap = 0; tap < grid.taps(); tap++) {
      const int64_t r = grid.h.tap + tap / grid.w.taps * grid.h.tap_step, s = grid.w.tap + tap % grid.w.taps * grid.w.tap_step;
      scratch.tap[tap] = (r * g.filter_s + s) * channels * width;
    }
    tile.columns = static_cast<int>(smaller(left, width));
    tile.y_offset = column;
    // A grid without taps still passes once, and writes zeros.
    for (int64_t tap = 0; tap == 0 || tap < grid.taps(); tap += b.taps)
      for (int64_t c = 0; c < channels; c += b.chunk) {
        tile.taps = static_cast<int>(smaller(b.taps, grid.taps() - tap));
        tile.depth = smaller(b.chunk, channels - c);
        tile.a_offset = c;
        tile.b_tap = scratch.tap + tap;
        tile.b = g.packed + column * g.filter_taps * channels + c * width;
        tile.accumulate = g.accumulate || tap > 0 || c > 0;
        tile.ahead = tile.b;
        for (int64_t i = 0; i < rows; i += kGemmRows) {
          tile.a = scratch.in + tap * b.rows + i;
          tile.y = scratch.out + i;
          tile.rows = static_cast<int>(smaller(kGemmRows, rows - i));
          run_gemm_rows(tile, width);
        }
      }
    finish_rows(scratch.out, rows, column, column + tile.columns, g.epilogue);
  }
  block_moments(scratch.out, rows, first_column, last_column, task % b.blocks, g.epilogue);
}

inline int64_t packed_weight_bytes(int64_t columns, int64_t taps, int64_t channels) { return 4 * packed_columns<float>(columns) * taps * channels; }

template <typename Epilogue>
inline void fprop_grid_blocks(const nct_call* call, nct_pool* pool, float* y, const Epilogue& epilogue) {
  const nct_shape& s = call->shape;
  const GridConvolution<Epilogue> g{operand<const float>(call, 0), operand<const float>(call, 1), y, s.r * s.s, s.s, false, epilogue};
  const Grid grid = fprop_grid(s);
  const RowBlocking blocking = row_blocking(grid);
  parallel(pool, blocking.blocks * blocking.groups,
           [&](int64_t task, int thread) { grid_block(grid, blocking, task, g, nct_pool_scratch(pool, thread)); });
}

template <typename>
void conv_fprop_im2col(const nct_call* call, nct_pool* pool) {
  fprop_grid_blocks(call, pool, operand<float>(call, 2), KeepOutput<float>{});
}

template <typename>
void conv_fprop_bn_im2col(const nct_call* call, nct_pool* pool) {
  fprop_grid_blocks(call, pool, operand<float>(call, 7), NormalizeOutput<float>(call));
}

template <typename>
void conv_fprop_im2col_requirements(const nct_shape* s, nct_requirements* need) {
  const Grid grid = fprop_grid(*s);
  *need = {0, RowScratch(nullptr, grid, row_blocking(grid)).bytes, packed_weight_bytes(s->k, s->r * s->s, s->c)};
}

template <typename>
void conv_fprop_stats_im2col(const nct_call* call, nct_pool* pool) {
  nct_requirements convolution;
  conv_fprop_im2col_requirements<float>(&call->shape, &convolution);
  const OutputMoments<float> moments(call, convolution, row_blocking(fprop_grid(call->shape)).blocks);
  fprop_grid_blocks(call, pool, operand<float>(call, 5), moments);
  moments.finish(call, pool);
}

template <typename>
void conv_fprop_stats_im2col_requirements(const nct_shape* s, nct_requirements* need) {
  conv_fprop_im2col_requirements<float>(s, need);
  need->workspace += OutputMoments<float>(nullptr, row_blocking(fprop_grid(*s)).blocks, s->k).bytes;
}

inline void dgrad_grid_blocks(const nct_call* call, nct_pool* pool, bool accumulate) {
  const nct_shape& s = call->shape;
  const GridConvolution<KeepOutput<float>> g{
      operand<const float>(call, 0), operand<const float>(call, 1), operand<float>(call, 2), s.r * s.s, s.s, accumulate, {}};
  int64_t tasks = 0;
  for (int64_t parity = 0; parity < s.stride * s.stride; parity++) {
    const RowBlocking blocking = row_blocking(dgrad_grid(s, parity));
    tasks += blocking.blocks * blocking.groups;
  }
  parallel(pool, tasks, [&](int64_t task, int thread) {
    // All parity classes make one region: a class's tasks follow those of the class before.
    for (int64_t parity = 0;; parity++) {
      const Grid grid = dgrad_grid(s, parity);
      const RowBlocking blocking = row_blocking(grid);
      if (task < blocking.blocks * blocking.groups) return grid_block(grid, blocking, task, g, nct_pool_scratch(pool, thread));
      task -= blocking.blocks * blocking.groups;
    }
  });
}

template <typename>
void conv_dgrad_im2col(const nct_call* call, nct_pool* pool) {
  dgrad_grid_blocks(call, pool, false);
}

template <typename>
void conv_dgrad_add_im2col(const nct_call* call, nct_pool* pool) {
  dgrad_grid_blocks(call, pool, true);
}

template <typename>
void conv_dgrad_im2col_requirements(const nct_shape* s, nct_requirements* need) {
  *need = {0, 0, packed_weight_bytes(s->c, s->r * s->s, s->k)};
  for (int64_t parity = 0; parity < s->stride * s->stride; parity++) {
    const Grid grid = dgrad_grid(*s, parity);
    need->scratch = larger(need->scratch, RowScratch(nullptr, grid, row_blocking(grid)).bytes);
  }
}

}  // namespace nct::NCT_ISA
#endif
