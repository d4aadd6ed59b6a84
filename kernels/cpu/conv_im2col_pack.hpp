// conv_fprop_im2col_pack: packed panels of k, each [r,s][c][panel width], from w [k,r,s,c].
// conv_dgrad_im2col_pack: packed panels of c, each [r,s][k][panel width].
// Columns past the last are zero.      Task: one tap of one panel.      Cost: w read once and written once.      Exact: copies.
#ifndef NCT_CONV_IM2COL_PACK_HPP
#define NCT_CONV_IM2COL_PACK_HPP
#include "gemm.hpp"

namespace nct::NCT_ISA {

// transpose: to[i*to_stride + j] = from[j*from_stride + i] for i < m, j < n, four by four in registers where there are four.
inline void transpose(float* to, int64_t to_stride, const float* from, int64_t from_stride, int64_t m, int64_t n) {
  typedef VectorN<float, 4> vector;
  typedef VectorN<int32_t, 4> lane;
  typedef VectorTypes<float, 4>::unaligned unaligned;
  int64_t j = 0;
  for (; j + 4 <= n; j += 4) {
    int64_t i = 0;
    for (; i + 4 <= m; i += 4) {
      const float* const p = from + j * from_stride + i;
      float* const q = to + i * to_stride + j;
      const vector a = *reinterpret_cast<const unaligned*>(p), b = *reinterpret_cast<const unaligned*>(p + from_stride);
      const vector c = *reinterpret_cast<const unaligned*>(p + 2 * from_stride), d = *reinterpret_cast<const unaligned*>(p + 3 * from_stride);
      const vector ab = __builtin_shuffle(a, b, lane{0, 4, 1, 5}), cd = __builtin_shuffle(c, d, lane{0, 4, 1, 5});
      const vector ab2 = __builtin_shuffle(a, b, lane{2, 6, 3, 7}), cd2 = __builtin_shuffle(c, d, lane{2, 6, 3, 7});
      *reinterpret_cast<unaligned*>(q) = __builtin_shuffle(ab, cd, lane{0, 1, 4, 5});
      *reinterpret_cast<unaligned*>(q + to_stride) = __builtin_shuffle(ab, cd, lane{2, 3, 6, 7});
      *reinterpret_cast<unaligned*>(q + 2 * to_stride) = __builtin_shuffle(ab2, cd2, lane{0, 1, 4, 5});
      *reinterpret_cast<unaligned*>(q + 3 * to_stride) = __builtin_shuffle(ab2, cd2, lane{2, 3, 6, 7});
    }
    for (; i < m; i++)
      for (int64_t l = j; l < j + 4; l++) to[i * to_stride + l] = from[l * from_stride + i];
  }
  for (; j < n; j++)
    for (int64_t i = 0; i < m; i++) to[i * to_stride + j] = from[j * from_stride + i];
}

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

}
#endif
