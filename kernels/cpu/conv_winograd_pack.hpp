// conv_fprop_winograd_f43_pack, _f42_pack: packed panels of k, each [filter][c][panel width], of U = G w[k,:,:,c] G^T, 36 transformed weights.
// conv_dgrad_winograd_f43_pack, _f42_pack: packed panels of c, each [filter][k][panel width], of the same with w turned by 180 degrees.
// Columns past the last are zero.      Task: a vector of c, all k.      Cost: reads w once, writes four times as much,
// past the caches where the convolution would not find it there.
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

constexpr int64_t kPackColumns = 16;  // k transformed before they are turned: one cache line of a panel's row (float)

// turn_columns: to[c*stride + k] = from[k][c] for a vector of c and kPackColumns k, past the caches where `streams`.
template <typename T>
inline void turn_columns(T* to, int64_t stride, const T (&from)[kPackColumns][lanes<T>], bool streams) {
  constexpr int kSquares = static_cast<int>(kPackColumns) / lanes<T>;
  Vector<T> v[kSquares][lanes<T>];
#pragma GCC unroll 8
  for (int s = 0; s < kSquares; s++) {
#pragma GCC unroll 16
    for (int j = 0; j < lanes<T>; j++) v[s][j] = load(from[s * lanes<T> + j]);
    transpose_lanes<lanes<T> / 2, T>(v[s]);
  }
#pragma GCC unroll 16
  for (int c = 0; c < lanes<T>; c++)
#pragma GCC unroll 8
    for (int s = 0; s < kSquares; s++) {
      T* const at = to + c * stride + s * lanes<T>;
      if (streams) {
        stream(at, v[s][c]);
      } else {
        store(at, v[s][c]);
      }
    }
}

// streams_weights: whether packed weights are stored past the caches: none of them would be there when the convolution comes to read them.
template <typename A, typename T>
inline bool streams_weights(const nct_shape& s, const T* packed) {
  return staged_weights<A, T>(s.c, s.k) && reinterpret_cast<uintptr_t>(packed) % 64 == 0;
}

template <typename A, typename T>
void conv_fprop_winograd_pack(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const T* const w = operand<const T>(call, 0);
  T* const packed = operand<T>(call, 1);
  const int64_t vectors = ceil_div(s.c, lanes<T>);
  const bool streams = streams_weights<A>(s, packed);
  parallel(pool, ceil_div(s.k, kPanel<T>) * vectors, [&](int64_t task, int) {
    const int64_t first = task / vectors * kPanel<T>, c = task % vectors * lanes<T>, channels = smaller(lanes<T>, s.c - c);
    const int64_t width = panel_width<T>(s.k - first), columns = smaller(width, s.k - first);
    T* const panel = packed + first * kFilterPlanes<A> * s.c;
    T block[kFilterPlanes<A>][kPackColumns][lanes<T>];
    for (int64_t column = 0; column < width; column += kPackColumns) {
      const int64_t count = smaller(kPackColumns, width - column);
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
      for (int plane = 0; plane < kFilterPlanes<A>; plane++) {
        T* const to = panel + (plane * s.c + c) * width + column;
        if (channels == lanes<T> && count == kPackColumns) {
          turn_columns(to, width, block[plane], streams && width % lanes<T> == 0);
        } else {
          transpose(to, width, block[plane][0], lanes<T>, channels, count);
        }
      }
    }
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
    for (int64_t k = task % blocks * kRows; k < smaller(s.k, (task % blocks + 1) * kRows); k++) {
      const T* const filter = w + k * 9 * s.c + first;
      for_vectors<T>(
          columns, [&](int64_t c, auto part) __attribute__((always_inline)) {
            Vector<T> u[A::kFilters][A::kFilters];
            transform_filter<A>(filter + c, s.c, true, part, u);
            for (int plane = 0; plane < kFilterPlanes<A>; plane++) {
              T* const to = panel + (plane * s.k + k) * width + c;
              const Vector<T> value = u[plane / A::kFilters][plane % A::kFilters];
              if (streams && width % lanes<T> == 0 && c + lanes<T> <= columns) {
                stream(to, value);
              } else {
                store(to, value, part);
              }
            }
          });
      for (int plane = 0; plane < kFilterPlanes<A>; plane++)
        for (int64_t c = columns; c < width; c++) panel[(plane * s.k + k) * width + c] = 0;
    }
    if (streams) stream_end();
  });
}

}  // namespace nct::NCT_ISA
#endif
