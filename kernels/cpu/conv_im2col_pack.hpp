// conv_fprop_im2col_pack: packed panels of k, each [r,s][c][panel width], from w [k,r,s,c].
// conv_dgrad_im2col_pack: packed panels of c, each [r,s][k][panel width].
// Columns past the last are zero.      Task: one tap of one panel.      Cost: w read once and written once.      Exact: copies.
#ifndef NCT_CONV_IM2COL_PACK_HPP
#define NCT_CONV_IM2COL_PACK_HPP
#include "gemm_transpose.hpp"

namespace nct::NCT_ISA {

template <typename>
void conv_fprop_im2col_pack(const nct_call* call, nct_pool* pool) {
  constexpr int64_t kBlock = 64;  // channels turned at a time: that part of the panel stays in L1
  const nct_shape& s = call->shape;
  const float* const w = operand<const float>(call, 0);
  float* const packed = operand<float>(call, 1);
  const int64_t taps = s.r * s.s;
  parallel(pool, ceil_div(s.k, kPanel<float>) * taps, [&](int64_t task, int) {
    const int64_t k = task / taps * kPanel<float>, tap = task % taps, width = panel_width<float>(s.k - k), columns = smaller(width, s.k - k);
    const float* const rows = w + (k * taps + tap) * s.c;
    float* const panel = packed + (k * taps + tap * width) * s.c;
    for (int64_t c = 0; c < s.c; c += kBlock) transpose(panel + c * width, width, rows + c, taps * s.c, smaller(kBlock, s.c - c), columns);
    for (int64_t c = 0; c < s.c; c++)
      for (int64_t j = columns; j < width; j++) panel[c * width + j] = 0;
  });
}

template <typename>
void conv_dgrad_im2col_pack(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const float* const w = operand<const float>(call, 0);
  float* const packed = operand<float>(call, 1);
  const int64_t taps = s.r * s.s;
  parallel(pool, ceil_div(s.c, kPanel<float>) * taps, [&](int64_t task, int) {
    const int64_t c = task / taps * kPanel<float>, tap = task % taps, width = panel_width<float>(s.c - c), columns = smaller(width, s.c - c);
    float* to = packed + (c * taps + tap * width) * s.k;
    for (int64_t k = 0; k < s.k; k++, to += width) {
      const float* const row = w + (k * taps + tap) * s.c + c;
      for (int64_t j = 0; j < columns; j++) to[j] = row[j];
      for (int64_t j = columns; j < width; j++) to[j] = 0;
    }
  });
}

}  // namespace nct::NCT_ISA
#endif
