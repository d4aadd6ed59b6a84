// The turn of a block of a matrix, which packing needs where columns of a panel are rows in memory.
#ifndef NCT_GEMM_TRANSPOSE_HPP
#define NCT_GEMM_TRANSPOSE_HPP
#include "gemm.hpp"

namespace nct::NCT_ISA {

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
