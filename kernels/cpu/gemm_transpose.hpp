// The turn of a block of a matrix, which packing needs where columns of a panel are rows in memory.
#ifndef NCT_GEMM_TRANSPOSE_HPP
#define NCT_GEMM_TRANSPOSE_HPP
#include "gemm.hpp"

namespace nct::NCT_ISA {

// transpose_lanes turns a square of values in registers: lane j of the new v[i] is lane i of the old v[j]. Each step exchanges the lower left and the upper
// right quarter of every block, and the next does so in the quarters.
template <int Half, typename T>
[[gnu::always_inline]] inline void transpose_lanes(Vector<T> (&v)[lanes<T>]) {
  if constexpr (Half > 0) {
    decltype(v[0] < v[0]) upper, lower;  // integers as wide as T: a lane of the first vector, or of the second from lanes<T> on
#pragma GCC unroll 16
    for (int i = 0; i < lanes<T>; i++) {
      upper[i] = i & Half ? lanes<T> + i - Half : i;
      lower[i] = i & Half ? lanes<T> + i : i + Half;
    }
#pragma GCC unroll 16
    for (int i = 0; i < lanes<T>; i++) {
      if (i & Half) continue;
      const Vector<T> a = v[i], b = v[i + Half];
      v[i] = __builtin_shuffle(a, b, upper);
      v[i + Half] = __builtin_shuffle(a, b, lower);
    }
    transpose_lanes<Half / 2, T>(v);
  }
}

// transpose: to[i*to_stride + j] = from[j*from_stride + i] for i < m, j < n, four by four in registers where there are four.
template <typename T>
inline void transpose(T* to, int64_t to_stride, const T* from, int64_t from_stride, int64_t m, int64_t n) {
  typedef VectorN<T, 4> vector;
  typedef decltype(vector{} < vector{}) lane;  // integers as wide as T
  typedef typename VectorTypes<T, 4>::unaligned unaligned;
  int64_t j = 0;
  for (; j + 4 <= n; j += 4) {
    int64_t i = 0;
    for (; i + 4 <= m; i += 4) {
      const T* const p = from + j * from_stride + i;
      T* const q = to + i * to_stride + j;
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

}  // namespace nct::NCT_ISA
#endif
