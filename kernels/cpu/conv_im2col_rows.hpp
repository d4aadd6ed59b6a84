// The rows of a convolution seen as a matrix product: which input pixel each tap of each output pixel reads (implicit im2col).
//
// A grid is a set of output pixels, images x h.count x w.count, that all read the input by the same rule: tap (i, j) of grid position (p, q) reads
// pixel (p*h.step + h.shift + i*h.shift_step, q*w.step + w.shift + j*w.shift_step), or zeros beyond the edge.
//   fprop:  one grid, all of y; taps are (r, s), the step is the stride.
//   dgrad:  stride^2 grids, the parity classes of dx's pixels. h = p*stride + r - pad has solutions only for r of one residue class, so a class
//           has its own few taps and nothing is multiplied by zeros between strides. A class without taps is zero (1x1, stride 2).
#ifndef NCT_CONV_IM2COL_ROWS_HPP
#define NCT_CONV_IM2COL_ROWS_HPP
#include "gemm.hpp"

namespace nct::NCT_ISA {

inline int64_t conv_p(const nct_shape& s) { return (s.h + 2 * s.pad - s.r) / s.stride + 1; }
inline int64_t conv_q(const nct_shape& s) { return (s.w + 2 * s.pad - s.s) / s.stride + 1; }

// One of a grid's two dimensions.
struct GridAxis {
  int64_t count;               // grid positions
  int64_t in, step;            // input extent, and input positions a grid position
  int64_t out, first, stride;  // output extent; grid position p is output position first + p*stride
  int taps, tap, tap_step;     // tap i is the filter's tap + i*tap_step
  int64_t shift, shift_step;   // tap i reads p*step + shift + i*shift_step
};

inline GridAxis fprop_axis(int64_t in, int64_t out, int64_t taps, int64_t stride, int64_t pad) {
  return {out, in, stride, out, 0, 1, static_cast<int>(taps), 0, 1, -pad, 1};
}

// dgrad_axis: the positions first, first + stride, ... of dx (extent `out`), which read dy (extent `in`).
inline GridAxis dgrad_axis(int64_t in, int64_t out, int64_t taps, int64_t stride, int64_t pad, int64_t first) {
  const int64_t tap = (first + pad) % stride, count = taps > tap ? ceil_div(taps - tap, stride) : 0;
  return {first < out ? ceil_div(out - first, stride) : 0,
          in,
          1,
          out,
          first,
          stride,
          static_cast<int>(count),
          static_cast<int>(tap),
          static_cast<int>(stride),
          (first + pad - tap) / stride,
          -1};
}

struct Grid {
  int64_t images;
  GridAxis h, w;
  int64_t in_channels, out_channels;

  int64_t rows() const { return images * h.count * w.count; }
  int taps() const { return h.taps * w.taps; }
};

inline Grid fprop_grid(const nct_shape& s) {
  return {s.n, fprop_axis(s.h, conv_p(s), s.r, s.stride, s.pad), fprop_axis(s.w, conv_q(s), s.s, s.stride, s.pad), s.c, s.k};
}

inline Grid dgrad_grid(const nct_shape& s, int64_t parity) {
  return {s.n, dgrad_axis(conv_p(s), s.h, s.r, s.stride, s.pad, parity / s.stride),
          dgrad_axis(conv_q(s), s.w, s.s, s.stride, s.pad, parity % s.stride), s.k, s.c};
}

// grid_inputs writes, for rows [begin, begin+count) of the grid and each of its taps (h.taps x w.taps, row-major), where the input row lies:
// table[tap*stride + i]; zeros stands for pixels beyond the edge.
inline void grid_inputs(const Grid& grid, int64_t begin, int64_t count, const float* in, const float* zeros, const float** table, int64_t stride) {
  const GridAxis &h = grid.h, &w = grid.w;
  for (int64_t i = 0; i < count;) {
    const int64_t row = begin + i, q = row % w.count, p = row / w.count % h.count, image = row / w.count / h.count;
    const int64_t run = smaller(w.count - q, count - i);  // a run of pixels of one image row
    for (int tap = 0; tap < grid.taps(); tap++) {
      const float** const to = table + tap * stride + i;
      const int64_t y = p * h.step + h.shift + tap / w.taps * h.shift_step;
      const bool inside = y >= 0 && y < h.in;
      const float* const line = in + (image * h.in + (inside ? y : 0)) * w.in * grid.in_channels;
      int64_t x = q * w.step + w.shift + tap % w.taps * w.shift_step;
      for (int64_t j = 0; j < run; j++, x += w.step) to[j] = inside && x >= 0 && x < w.in ? line + x * grid.in_channels : zeros;
    }
    i += run;
  }
}

// grid_outputs writes where the output rows [begin, begin+count) lie.
inline void grid_outputs(const Grid& grid, int64_t begin, int64_t count, float* out, float** table) {
  const GridAxis &h = grid.h, &w = grid.w;
  for (int64_t i = 0; i < count; i++) {
    const int64_t row = begin + i, q = row % w.count, p = row / w.count % h.count, image = row / w.count / h.count;
    table[i] = out + ((image * h.out + h.first + p * h.stride) * w.out + w.first + q * w.stride) * grid.out_channels;
  }
}

}  // namespace nct::NCT_ISA
#endif
