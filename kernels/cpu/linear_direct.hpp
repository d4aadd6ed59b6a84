// linear_fprop: y[n,k] = sum_c x[n,c]*w[k,c] + bias[k]
// linear_dgrad: dx[n,c] = sum_k dy[n,k]*w[k,c]
// linear_wgrad: dw[k,c] = sum_n dy[n,k]*x[n,c], dbias[k] = sum_n dy[n,k]; at most 4096 products are summed in T, then in double.
// Vectors lie along c.      Cost: 2*N*K*C flop each.
#ifndef NCT_LINEAR_DIRECT_HPP
#define NCT_LINEAR_DIRECT_HPP
#include "tile_direct.hpp"

namespace nct::NCT_ISA {

template <typename T>
void linear_fprop_direct(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const T* const x = operand<const T>(call, 0);
  const T* const w = operand<const T>(call, 1);
  const T* const bias = operand<const T>(call, 2);
  T* const y = operand<T>(call, 3);
  parallel_ranges(pool, s.n, kTileRows, [=, &s](int64_t begin, int64_t end) {
    for (int64_t k = 0; k < s.k; k += kTileColumns) {
      Vector<T> sums[kTileRows][kTileColumns] = {};
      const T *a[kTileRows], *b[kTileColumns];
      for (int i = 0; i < kTileRows; i++) a[i] = x + smaller(begin + i, end - 1) * s.c;
      for (int j = 0; j < kTileColumns; j++) b[j] = w + smaller(k + j, s.k - 1) * s.c;
      dot_tile<T>(sums, a, b, s.c);
      for (int i = 0; begin + i < end; i++)
        for (int j = 0; j < kTileColumns && k + j < s.k; j++) y[(begin + i) * s.k + k + j] = sum<T>(sums[i][j]) + bias[k + j];
    }
  });
}

template <typename T>
void linear_dgrad_direct(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const T* const dy = operand<const T>(call, 0);
  const T* const w = operand<const T>(call, 1);
  T* const dx = operand<T>(call, 2);
  parallel_ranges(pool, s.n, kTileRows, [=, &s](int64_t begin, int64_t end) {
    for_vector_blocks<T, kTileColumns>(s.c, [&](int64_t c, auto block, auto part) {
      Vector<T> sums[kTileRows][block.count] = {};
      const T* a[kTileRows];
      for (int i = 0; i < kTileRows; i++) a[i] = dy + smaller(begin + i, end - 1) * s.k;
      outer_tile<T>(sums, a, 1, w + c, s.c, s.k, part);
      for (int i = 0; begin + i < end; i++)
        for (int v = 0; v < block.count; v++) store(dx + (begin + i) * s.c + c + v * lanes<T>, sums[i][v], part);
    });
  });
}

template <typename T>
void linear_wgrad_direct(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const T* const x = operand<const T>(call, 0);
  const T* const dy = operand<const T>(call, 1);
  T* const dw = operand<T>(call, 2);
  T* const dbias = operand<T>(call, 3);
  parallel_ranges(pool, s.k, kTileRows, [=, &s](int64_t begin, int64_t end) {
    for_vector_blocks<T, kTileColumns>(s.c, [&](int64_t c, auto block, auto part) {
      double total[kTileRows][block.count * lanes<T>] = {};
      for (int64_t n = 0; n < s.n; n += kProductsPerSum) {
        Vector<T> sums[kTileRows][block.count] = {};
        const T* a[kTileRows];
        for (int i = 0; i < kTileRows; i++) a[i] = dy + n * s.k + smaller(begin + i, end - 1);
        outer_tile<T>(sums, a, s.k, x + n * s.c + c, s.c, smaller(kProductsPerSum, s.n - n), part);
        for (int i = 0; i < kTileRows; i++)
          for (int v = 0; v < block.count; v++)
            for (int l = 0; l < lanes<T>; l++) total[i][v * lanes<T> + l] += static_cast<double>(sums[i][v][l]);
      }
      for (int i = 0; begin + i < end; i++)
        for (int64_t j = 0; j < smaller(block.count * lanes<T>, s.c - c); j++) dw[(begin + i) * s.c + c + j] = static_cast<T>(total[i][j]);
    });
    for (int64_t k = begin; k < end; k++) {
      double total = 0;
      for (int64_t n = 0; n < s.n; n++) total += static_cast<double>(dy[n * s.k + k]);
      dbias[k] = static_cast<T>(total);
    }
  });
}

}  // namespace nct::NCT_ISA
#endif
