// conv_fprop_winograd_f43_pack, _f42_pack: packed panels of k, each [filter][c][panel width], of U = G w[k,:,:,c] G^T, 36 transformed weights.
// conv_dgrad_winograd_f43_pack, _f42_pack: packed panels of c, each [filter][k][panel width], of the same with w turned by 180 degrees.
// Columns past the last are zero.      Task: a vector of c, all k.      Cost: reads w once, writes four times as much.
#ifndef NCT_CONV_WINOGRAD_PACK_HPP
#define NCT_CONV_WINOGRAD_PACK_HPP
#include "conv_winograd.hpp"
#include "gemm_transpose.hpp"

namespace nct::NCT_ISA {

// transform_filter: u[i][j] = G w G^T for a vector of channels; w is [3][3] rows, `stride` floats apart.
template <typename A, typename T, typename Width>
[[gnu::always_inline]] inline void transform_filter(const T* w, int64_t stride, bool turned, Width part, Vector<T> (&u)[A::kFilters][A::kFilters]) {
  typedef Vector<T> V;
  nest<3, A::kFilters, V>(
      [&](int i, int j) __attribute__((always_inline)) { return load(w + (turned ? 8 - (i * 3 + j) : i * 3 + j) * stride, part); },
      [](const V(&g)[3], V(&out)[A::kFilters]) __attribute__((always_inline)) { A::template filter<T>(g, out); },
      [&](int i, int j, V value) __attribute__((always_inline)) { u[i][j] = value; });
}

template <typename A, typename T>
void conv_fprop_winograd_pack(const nct_call* call, nct_pool* pool) {
  constexpr int64_t kBlock = 16;  // k transformed before they are turned: one cache line of a panel's row (float)
  const nct_shape& s = call->shape;
  const T* const w = operand<const T>(call, 0);
  T* const packed = operand<T>(call, 1);
  const int64_t vectors = ceil_div(s.c, lanes<T>);
  parallel(pool, ceil_div(s.k, kPanel<T>) * vectors, [&](int64_t task, int) {
    const int64_t first = task / vectors * kPanel<T>, c = task % vectors * lanes<T>, channels = smaller(lanes<T>, s.c - c);
    const int64_t width = panel_width<T>(s.k - first), columns = smaller(width, s.k - first);
    T* const panel = packed + first * kFilterPlanes<A> * s.c;
    T block[kFilterPlanes<A>][kBlock][lanes<T>];
    for (int64_t column = 0; column < width; column += kBlock) {
      const int64_t count = smaller(kBlock, width - column);
      for (int64_t j = 0; j < count; j++) {
        Vector<T> u[A::kFilters][A::kFilters] = {};
        const T* const filter = w + (first + column + j) * 9 * s.c + c;
        if (column + j < columns) {
          if (channels == lanes<T>) {
            transform_filter<A>(filter, s.c, false, Whole{}, u);
          } else {
            transform_filter<A>(filter, s.c, false, Part{static_cast<int>(channels)}, u);
          }
        }
        for (int plane = 0; plane < kFilterPlanes<A>; plane++) store(block[plane][j], u[plane / A::kFilters][plane % A::kFilters]);
      }
      for (int plane = 0; plane < kFilterPlanes<A>; plane++)
        transpose(panel + (plane * s.c + c) * width + column, width, block[plane][0], lanes<T>, channels, count);
    }
  });
}

template <typename A, typename T>
void conv_dgrad_winograd_pack(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const T* const w = operand<const T>(call, 0);
  T* const packed = operand<T>(call, 1);
  constexpr int64_t kRows = 8;  // k of a task
  const int64_t blocks = ceil_div(s.k, kRows);
  parallel(pool, ceil_div(s.c, kPanel<T>) * blocks, [&](int64_t task, int) {
    const int64_t first = task / blocks * kPanel<T>, width = panel_width<T>(s.c - first), columns = smaller(width, s.c - first);
    T* const panel = packed + first * kFilterPlanes<A> * s.k;
    for (int64_t k = task % blocks * kRows; k < smaller(s.k, (task % blocks + 1) * kRows); k++) {
      const T* const filter = w + k * 9 * s.c + first;
      for_vectors<T>(
          columns, [&](int64_t c, auto part) __attribute__((always_inline)) {
            Vector<T> u[A::kFilters][A::kFilters];
            transform_filter<A>(filter + c, s.c, true, part, u);
            for (int plane = 0; plane < kFilterPlanes<A>; plane++)
              store(panel + (plane * s.k + k) * width + c, u[plane / A::kFilters][plane % A::kFilters], part);
          });
      for (int plane = 0; plane < kFilterPlanes<A>; plane++)
        for (int64_t c = columns; c < width; c++) panel[(plane * s.k + k) * width + c] = 0;
    }
  });
}

}  // namespace nct::NCT_ISA
#endif
