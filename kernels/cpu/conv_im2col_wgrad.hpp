// conv_wgrad_im2col: dw[k,r,s,c] = sum_{n,p,q} x[n, p*stride+r-pad, q*stride+s-pad, c] * dy[n,p,q,k]
//
// An implicit matrix product: rows are k, columns (r,s,c) as they stand in dw, the sum runs over output pixels. A chunk's part of dy and, tap by tap,
// a panel of x are copied to be contiguous: rows of 2^n channels would fall on a few sets of the L1 cache. Where the channels of one tap do not fill
// two vectors (the stem, narrow networks) whole patches are gathered instead, and the columns are all of (r,s,c) together.
// Task:  a range of at most kRangePixels pixels times a block of dw (a filter row's taps, kBlockRows k, kBlockColumns c). It goes through its range in
//        chunks that stay in L2 while the block's tiles pass over them. With more than one range each writes its own copy of dw into the
//        workspace; a second region adds the copies in order. Ranges follow from the shape, so the sums do not depend on the threads.
// Cost:  2*N*P*Q*K*R*S*C flop; workspace: ranges * 4*K*R*S*C bytes where there are several.
// Error: chains of one chunk's pixels, then chains of a range's chunks, then of the ranges: no float32 chain is longer than kRangePixels.
#ifndef NCT_CONV_IM2COL_WGRAD_HPP
#define NCT_CONV_IM2COL_WGRAD_HPP
#include "conv_im2col_rows.hpp"

namespace nct::NCT_ISA {

struct WgradBlocking {
  bool gather;
  int64_t columns;        // of one tap group: C, or R*S*C when gathered
  int64_t taps, groups;   // taps of a group (a filter row), and groups
  int64_t range, ranges;  // pixels of a range
  int64_t chunk;          // pixels of a chunk
  int64_t row_blocks, column_blocks;

  int64_t blocks() const { return groups * row_blocks * column_blocks; }
};

constexpr int64_t kWgradBlockRows = 64, kWgradBlockColumns = 256;

inline WgradBlocking wgrad_blocking(const nct_shape& s) {
  constexpr int64_t kRangePixels = 4096, kLeastRange = 512, kTasks = 64;
  const int64_t pixels = s.n * conv_p(s) * conv_q(s);
  WgradBlocking b;
  b.gather = s.c < 2 * lanes<float>;
  b.columns = b.gather ? s.r * s.s * s.c : s.c;
  b.taps = b.gather ? 1 : s.s;
  b.groups = b.gather ? 1 : s.r;
  b.row_blocks = ceil_div(s.k, kWgradBlockRows);
  b.column_blocks = b.gather ? 1 : ceil_div(s.c, kWgradBlockColumns);
  // Shorter ranges where the blocks of dw alone are too few tasks; never so short that merging costs as much as multiplying.
  const int64_t wanted = ceil_div(pixels, ceil_div(kTasks, b.blocks()));
  b.ranges = larger(1, ceil_div(pixels, smaller(kRangePixels, larger(kLeastRange, wanted))));
  b.range = ceil_div(pixels, b.ranges);
  b.chunk = smaller(b.range, b.gather ? smaller(128, larger(16, 16384 / b.columns)) : 128);
  return b;
}

// A thread's scratch: pointers to the x rows of a chunk for each tap, the chunk of dy, a panel of x or the gathered patches, one row of zeros.
struct WgradScratch {
  const float** pixels;
  float *dy, *x, *zeros;
  int64_t bytes;

  WgradScratch(void* memory, const nct_shape& s, const WgradBlocking& b) {
    Carver carver(memory);
    pixels = carver.take<const float*>((b.gather ? s.r * s.s : b.taps) * b.chunk);
    dy = carver.take<float>(b.chunk * kWgradBlockRows);
    x = carver.take<float>(b.chunk * (b.gather ? packed_columns<float>(b.columns) : kPanel<float>));
    zeros = carver.take<float>(s.c);
    bytes = carver.bytes;
  }
};

// copy_row copies n floats; written out because the compiler would call memcpy, which costs more than a few channels take.
inline void copy_row(float* to, const float* from, int64_t n) {
  int64_t i = 0;
  for (; i + lanes<float> <= n; i += lanes<float>) store(to + i, load(from + i));
  for (; i + 4 <= n; i += 4) __builtin_memcpy(to + i, from + i, 16);
  for (; i < n; i++) {
    to[i] = from[i];
    asm("" ::: "memory");  // keeps this a loop
  }
}

// copy_rows copies columns [first, first+columns) of `count` rows, and zeros up to `stride` floats.
inline void copy_rows(float* to, int64_t stride, const float* const* rows, int64_t first, int64_t columns, int64_t count) {
  for (int64_t i = 0; i < count; i++, to += stride) {
    copy_row(to, rows[i] + first, columns);
    for (int64_t j = columns; j < stride; j++) to[j] = 0;
  }
}

// gather_patches copies the (r,s,c) patches of `count` pixels to rows of `stride` floats. Taps of a filter row mostly lie together in x, and are copied as one.
inline void gather_patches(float* to, int64_t stride, const float* const* pixels, int64_t pixels_stride, int64_t taps, int64_t channels,
                           int64_t count) {
  for (int64_t i = 0; i < count; i++, to += stride) {
    for (int64_t tap = 0; tap < taps;) {
      const float* const from = pixels[tap * pixels_stride + i];
      int64_t run = 1;
      while (tap + run < taps && pixels[(tap + run) * pixels_stride + i] == from + run * channels) run++;
      copy_row(to + tap * channels, from, run * channels);
      tap += run;
    }
    for (int64_t j = taps * channels; j < stride; j++) to[j] = 0;
  }
}

// wgrad_block computes one block of dw (or of a copy of it) over one range of pixels.
inline void wgrad_block(const nct_shape& s, const WgradBlocking& b, int64_t block, int64_t range, const float* x, const float* dy, float* dw,
                        void* memory) {
  Grid grid = fprop_grid(s);
  const int64_t group = block % b.groups, row_block = block / b.groups % b.row_blocks, column_block = block / b.groups / b.row_blocks;
  const int64_t first_k = row_block * kWgradBlockRows, rows = smaller(kWgradBlockRows, s.k - first_k);
  const int64_t first_c = column_block * kWgradBlockColumns, last_c = b.gather ? b.columns : smaller(s.c, first_c + kWgradBlockColumns);
  const int64_t begin = range * b.range, end = smaller(grid.rows(), begin + b.range);
  const WgradScratch scratch(memory, s, b);
  for (int64_t c = 0; c < s.c; c++) scratch.zeros[c] = 0;
  if (!b.gather) {
    grid.h.taps = 1;  // only this group's filter row
    grid.h.shift += group;
  }
  const int64_t register_tiles = b.taps * ceil_div(last_c - first_c, kPanel<float>) * ceil_div(rows, kGemmRows);
  GemmOuter<float> tile;
  tile.g_stride = rows;
  tile.d_stride = s.r * s.s * s.c;
  for (int64_t pixel = begin; pixel < end; pixel += b.chunk) {
    tile.depth = smaller(b.chunk, end - pixel);
    tile.accumulate = pixel > begin;
    grid_inputs(grid, pixel, tile.depth, x, scratch.zeros, scratch.pixels, b.chunk);
    for (int64_t i = 0; i < tile.depth; i++) copy_row(scratch.dy + i * rows, dy + (pixel + i) * s.k + first_k, rows);
    if (b.gather) {
      tile.x_stride = packed_columns<float>(b.columns);
      gather_patches(scratch.x, tile.x_stride, scratch.pixels, b.chunk, s.r * s.s, s.c, tile.depth);
    }
    OuterAhead<float> ahead({dy + (pixel + tile.depth) * s.k + first_k, s.k, tile.depth}, {}, register_tiles, tile.depth);
    for (int64_t tap = 0; tap < b.taps; tap++) {
      for (int64_t c = first_c; c < last_c; c += kPanel<float>) {
        const int64_t width = panel_width<float>(last_c - c);
        tile.columns = static_cast<int>(smaller(width, last_c - c));
        if (b.gather) {
          tile.x = scratch.x + c;
        } else {
          tile.x = scratch.x;
          tile.x_stride = width;
          copy_rows(scratch.x, width, scratch.pixels + tap * b.chunk, c, tile.columns, tile.depth);
        }
        for (int64_t k = 0; k < rows; k += kGemmRows) {
          tile.g = scratch.dy + k;
          tile.d = dw + ((first_k + k) * s.r * s.s + group * b.taps + tap) * s.c + c;
          ahead.share(tile);
          run_gemm_outer(tile, width, static_cast<int>(smaller(kGemmRows, rows - k)));
        }
      }
    }
  }
}

// add_copies: out = copies[0] + copies[1] + ..., n numbers each, in this order.
template <typename T>
inline void add_copies(nct_pool* pool, const T* copies, int64_t count, int64_t n, T* out) {
  constexpr int64_t kStep = 4096;  // numbers of a task: small enough that narrow layers are several tasks
  parallel_ranges(pool, n, kStep, [=](int64_t begin, int64_t end) {
    for_vectors<T>(end - begin, [=](int64_t i, auto part) {
      Vector<T> sum = load(copies + begin + i, part);
      for (int64_t copy = 1; copy < count; copy++) sum += load(copies + copy * n + begin + i, part);
      store(out + begin + i, sum, part);
    });
  });
}

template <typename>
void conv_wgrad_im2col(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const float* const x = operand<const float>(call, 0);
  const float* const dy = operand<const float>(call, 1);
  float* const dw = operand<float>(call, 2);
  const WgradBlocking b = wgrad_blocking(s);
  const int64_t size = s.k * s.r * s.s * s.c;
  float* const copies = b.ranges > 1 ? static_cast<float*>(call->workspace) : dw;
  parallel(pool, b.ranges * b.blocks(), [&](int64_t task, int thread) {
    const int64_t range = task / b.blocks();  // blocks of one range follow each other: they share its pixels in the cache
    wgrad_block(s, b, task % b.blocks(), range, x, dy, copies + range * size, nct_pool_scratch(pool, thread));
  });
  if (b.ranges > 1) add_copies(pool, copies, b.ranges, size, dw);
}

template <typename>
void conv_wgrad_im2col_requirements(const nct_shape* s, nct_requirements* need) {
  const WgradBlocking b = wgrad_blocking(*s);
  *need = {b.ranges > 1 ? b.ranges * 4 * s->k * s->r * s->s * s->c : 0, WgradScratch(nullptr, *s, b).bytes, 0};
}

}  // namespace nct::NCT_ISA
#endif
