// conv_fprop_winograd_f43_pack: packed panels of k, each [product][c][panel width], of U = G w[k,:,:,c] G^T.
// conv_dgrad_winograd_f43_pack: packed panels of c, each [product][k][panel width], of the same with w turned by 180 degrees.
// Columns past the last are zero.      Task: a vector of c, all k.      Cost: reads w once, writes four times as much.
#ifndef NCT_CONV_WINOGRAD_F43_PACK_HPP
#define NCT_CONV_WINOGRAD_F43_PACK_HPP
#include "gemm_transpose.hpp"
#include "winograd_f43.hpp"

namespace nct::NCT_ISA {

// transform_filter: u[product] = G w G^T for a vector of channels; w is [3][3] rows, `stride` floats apart.
template <typename T, typename Width>
[[gnu::always_inline]] inline void transform_filter(const T* w, int64_t stride, bool turned, Width part, Vector<T> (&u)[6][6]) {
  typedef Vector<T> V;
  V half[3][6];  // [column][product]
#pragma GCC unroll 3
  for (int j = 0; j < 3; j++) {
    V g[3];
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++) g[i] = load(w + (turned ? 8 - (i * 3 + j) : i * 3 + j) * stride, part);
    f43_filter<T>(g, half[j]);
  }
#pragma GCC unroll 6
  for (int i = 0; i < 6; i++) {
    const V g[3] = {half[0][i], half[1][i], half[2][i]};
    f43_filter<T>(g, u[i]);
  }
}

template <typename T>
void conv_fprop_winograd_f43_pack(const nct_call* call, nct_pool* pool) {
  constexpr int64_t kBlock = 16;  // k transformed before they are turned: one cache line of a panel's row (float)
  const nct_shape& s = call->shape;
  const T* const w = operand<const T>(call, 0);
  T* const packed = operand<T>(call, 1);
  const int64_t vectors = ceil_div(s.c, lanes<T>);
  parallel(pool, ceil_div(s.k, kPanel<T>) * vectors, [&](int64_t task, int) {
    const int64_t first = task / vectors * kPanel<T>, c = task % vectors * lanes<T>, channels = smaller(lanes<T>, s.c - c);
    const int64_t width = panel_width<T>(s.k - first), columns = smaller(width, s.k - first);
    T* const panel = packed + first * kF43Products * s.c;
    T block[kF43Products][kBlock][lanes<T>];
    for (int64_t column = 0; column < width; column += kBlock) {
      const int64_t count = smaller(kBlock, width - column);
      for (int64_t j = 0; j < count; j++) {
        Vector<T> u[6][6] = {};
        const T* const filter = w + (first + column + j) * 9 * s.c + c;
        if (column + j < columns) {
          if (channels == lanes<T>) {
            transform_filter(filter, s.c, false, Whole{}, u);
          } else {
            transform_filter(filter, s.c, false, Part{static_cast<int>(channels)}, u);
          }
        }
        for (int product = 0; product < kF43Products; product++) store(block[product][j], u[product / 6][product % 6]);
      }
      for (int product = 0; product < kF43Products; product++)
        transpose(panel + (product * s.c + c) * width + column, width, block[product][0], lanes<T>, channels, count);
    }
  });
}

template <typename T>
void conv_dgrad_winograd_f43_pack(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const T* const w = operand<const T>(call, 0);
  T* const packed = operand<T>(call, 1);
  constexpr int64_t kRows = 8;  // k of a task
  const int64_t blocks = ceil_div(s.k, kRows);
  parallel(pool, ceil_div(s.c, kPanel<T>) * blocks, [&](int64_t task, int) {
    const int64_t first = task / blocks * kPanel<T>, width = panel_width<T>(s.c - first), columns = smaller(width, s.c - first);
    T* const panel = packed + first * kF43Products * s.k;
    for (int64_t k = task % blocks * kRows; k < smaller(s.k, (task % blocks + 1) * kRows); k++) {
      const T* const filter = w + k * 9 * s.c + first;
      for_vectors<T>(
          columns, [&](int64_t c, auto part) __attribute__((always_inline)) {
            Vector<T> u[6][6];
            transform_filter(filter + c, s.c, true, part, u);
            for (int product = 0; product < kF43Products; product++)
              store(panel + (product * s.k + k) * width + c, u[product / 6][product % 6], part);
          });
      for (int product = 0; product < kF43Products; product++)
        for (int64_t c = columns; c < width; c++) panel[(product * s.k + k) * width + c] = 0;
    }
  });
}

}  // namespace nct::NCT_ISA
#endif
