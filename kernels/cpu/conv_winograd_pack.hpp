// conv_fprop_winograd_f43_pack, _f42_pack: packed panels of k, each [filter][c][panel width], of U = G w[k,:,:,c] G^T, 36 transformed weights.
// conv_dgrad_winograd_f43_pack, _f42_pack: packed panels of c, each [filter][k][panel width], of the same with w turned by 180 degrees.
// Columns past the last are zero.      Task: rows of a panel.      Cost: reads w once, writes four times as much, past the
// caches where the convolution would not find it there.
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

// streams_weights: whether packed weights are stored past the caches: none of them would be there when the convolution comes to read them.
template <typename A, typename T>
inline bool streams_weights(const nct_shape& s, const T* packed) {
  return staged_weights<A, T>(s.c, s.k) && reinterpret_cast<uintptr_t>(packed) % 64 == 0;
}

// pack_row transforms the filters of one row of a panel, [tap] rows of columns, `stride` floats apart: to[filter*plane + column].
template <typename A, typename T>
inline void pack_row(const T* w, int64_t stride, bool turned, T* to, int64_t plane, int64_t columns, int64_t width, bool streams) {
  for_vectors<T>(
      columns, [&](int64_t column, auto part) __attribute__((always_inline)) {
        Vector<T> u[A::kFilters][A::kFilters];
        transform_filter<A>(w + column, stride, turned, part, u);
        for (int filter = 0; filter < kFilterPlanes<A>; filter++) {
          T* const at = to + filter * plane + column;
          const Vector<T> value = u[filter / A::kFilters][filter % A::kFilters];
          if (streams && width % lanes<T> == 0 && column + lanes<T> <= columns) {
            stream(at, value);
          } else {
            store(at, value, part);
          }
        }
      });
  for (int filter = 0; filter < kFilterPlanes<A>; filter++)
    for (int64_t column = columns; column < width; column++) to[filter * plane + column] = 0;
}

template <typename A, typename T>
void conv_fprop_winograd_pack(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const T* const w = operand<const T>(call, 0);
  T* const packed = operand<T>(call, 1);
  const int64_t blocks = ceil_div(s.c, kLine<T>);
  const bool streams = streams_weights<A>(s, packed);
  parallel(pool, ceil_div(s.k, kPanel<T>) * blocks, [&](int64_t task, int) {
    const int64_t first = task / blocks * kPanel<T>, width = panel_width<T>(s.k - first), columns = smaller(width, s.k - first);
    const int64_t begin = task % blocks * kLine<T>, rows = smaller(kLine<T>, s.c - begin);
    // Columns are k, which lie far apart in w. Nine taps are turned, not the 36 transformed weights that they become.
    T turned[9][kLine<T>][kPanel<T>];
    for (int tap = 0; tap < 9; tap++) transpose(turned[tap][0], kPanel<T>, w + (first * 9 + tap) * s.c + begin, 9 * s.c, rows, columns);
    T* const panel = packed + first * kFilterPlanes<A> * s.c;
    for (int64_t i = 0; i < rows; i++)
      pack_row<A>(turned[0][i], kLine<T> * kPanel<T>, false, panel + (begin + i) * width, s.c * width, columns, width, streams);
    if (streams) stream_end();
  });
}

template <typename A, typename T>
void conv_dgrad_winograd_pack(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const T* const w = operand<const T>(call, 0);
  T* const packed = operand<T>(call, 1);
  constexpr int64_t kRows = 8;  // k of a task
  const int64_t blocks = ceil_div(s.k, kRows);
  const bool streams = streams_weights<A>(s, packed);
  parallel(pool, ceil_div(s.c, kPanel<T>) * blocks, [&](int64_t task, int) {
    const int64_t first = task / blocks * kPanel<T>, width = panel_width<T>(s.c - first), columns = smaller(width, s.c - first);
    T* const panel = packed + first * kFilterPlanes<A> * s.k;
    for (int64_t k = task % blocks * kRows; k < smaller(s.k, (task % blocks + 1) * kRows); k++)
      pack_row<A>(w + k * 9 * s.c + first, s.c, true, panel + k * width, s.k * width, columns, width, streams);
    if (streams) stream_end();
  });
}

}  // namespace nct::NCT_ISA
#endif
