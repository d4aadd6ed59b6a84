// The two register tiles of the direct convolutions and linear layers.
#ifndef NCT_TILE_DIRECT_HPP
#define NCT_TILE_DIRECT_HPP
#include "parallel.hpp"

namespace nct::NCT_ISA {

// A tile has kTileRows x kTileColumns vectors of sums, few enough that they stay in registers (32 with AVX-512 and NEON, 16 otherwise).
constexpr int kTileRows = 4;
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kTileColumns = 4;
#else
constexpr int kTileColumns = 2;
#endif

// Products that one sum of T may take before it goes on in double (weight gradients).
constexpr int64_t kProductsPerSum = 4096;

// dot_tile: sums[i][j] += sum over c of a[i][c] * b[j][c], lane by lane: the sum of the lanes is the product.
template <typename T>
inline __attribute__((always_inline)) void dot_tile(Vector<T> (&sums)[kTileRows][kTileColumns], const T* const (&a)[kTileRows],
                                                    const T* const (&b)[kTileColumns], int64_t n) {
  for_vectors<T>(
      n, [&](int64_t c, auto part) __attribute__((always_inline)) {
        Vector<T> right[kTileColumns];
        for (int j = 0; j < kTileColumns; j++) right[j] = load(b[j] + c, part);
        for (int i = 0; i < kTileRows; i++) {
          const Vector<T> left = load(a[i] + c, part);
          for (int j = 0; j < kTileColumns; j++) sums[i][j] = fma(left, right[j], sums[i][j]);
        }
      });
}

// outer_tile: sums[i][v] += sum over l of a[i][l * a_step] * b[l * b_step + v-th vector].
template <typename T, int Columns, typename Width>
inline __attribute__((always_inline)) void outer_tile(Vector<T> (&sums)[kTileRows][Columns], const T* const (&a)[kTileRows], int64_t a_step,
                                                      const T* b, int64_t b_step, int64_t n, Width part) {
  for (int64_t l = 0; l < n; l++, b += b_step) {
    Vector<T> right[Columns];
    for (int v = 0; v < Columns; v++) right[v] = load(b + v * lanes<T>, part);
    for (int i = 0; i < kTileRows; i++) {
      const Vector<T> left = broadcast(a[i][l * a_step]);
      for (int v = 0; v < Columns; v++) sums[i][v] = fma(left, right[v], sums[i][v]);
    }
  }
}

}  // namespace nct::NCT_ISA
#endif
