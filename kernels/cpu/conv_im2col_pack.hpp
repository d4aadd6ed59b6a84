// conv_fprop_im2col_pack: packed panels of k, each [r,s][c][panel width], from w [k,r,s,c].
// conv_dgrad_im2col_pack: packed panels of c, each [r,s][k][panel width].
// Columns past the last are zero.      Task: one tap of one panel.      Cost: w read once and written once.      Exact: copies.
#ifndef NCT_CONV_IM2COL_PACK_HPP
#define NCT_CONV_IM2COL_PACK_HPP
#include "gemm.hpp"

namespace nct::NCT_ISA {

template <typename>
void conv_fprop_im2col_pack(const nct_call* call, nct_pool* pool) {
  constexpr int64_t kBlock = 16;  // channels turned at a time: one cache line of each row of w, and a part of the panel that stays in L1
  const nct_shape& s = call->shape;
  const float* const w = operand<const float>(call, 0);
  float* const packed = operand<float>(call, 1);
  const int64_t taps = s.r * s.s;
  parallel(pool, ceil_div(s.k, kPanel) * taps, [&](int64_t task, int) {
    const int64_t k = task / taps * kPanel, tap = task % taps, width = panel_width(s.k - k), columns = smaller(width, s.k - k);
    float* const panel = packed + (k * taps + tap * width) * s.c;
    for (int64_t c = 0; c < s.c; c += kBlock) {
      const int64_t end = smaller(c + kBlock, s.c);
      for (int64_t j = 0; j < width; j++) {
        const float* const row = w + ((k + j) * taps + tap) * s.c;
        for (int64_t i = c; i < end; i++) panel[i * width + j] = j < columns ? row[i] : 0;
      }
    }
  });
}

template <typename>
void conv_dgrad_im2col_pack(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const float* const w = operand<const float>(call, 0);
  float* const packed = operand<float>(call, 1);
  const int64_t taps = s.r * s.s;
  parallel(pool, ceil_div(s.c, kPanel) * taps, [&](int64_t task, int) {
    const int64_t c = task / taps * kPanel, tap = task % taps, width = panel_width(s.c - c), columns = smaller(width, s.c - c);
    float* to = packed + (c * taps + tap * width) * s.k;
    for (int64_t k = 0; k < s.k; k++, to += width) {
      const float* const row = w + (k * taps + tap) * s.c + c;
      for (int64_t j = 0; j < columns; j++) to[j] = row[j];
      for (int64_t j = columns; j < width; j++) to[j] = 0;
    }
  });
}

}
#endif
