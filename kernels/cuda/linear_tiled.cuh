// The linear layer's products through shared memory: d[m,n] = sum_k a[m,k] * b[n,k], a block of 256 threads a tile of 32x32, in steps of 32 along k.
//
// Either operand lies in memory along k or across it; in shared memory both lie as [k][line], so that a thread reads one number of a and four of b for its four
// sums. Lines are 4 numbers longer than the tile, which keeps them aligned and spreads the transposed writes over the banks.
#ifndef NCTRAIN_LINEAR_TILED_CUH
#define NCTRAIN_LINEAR_TILED_CUH
#include "device.cuh"

constexpr int kTile = 32, kLine = kTile + 4, kTileFloats = kTile * kLine;  // launches_linear.go has the same tile

// Operand is [lines,depth] in memory where AlongK, else [depth,lines].
template <bool AlongK>
struct Operand {
  const float* base;
  int32_t lines, depth;

  // The thread's four numbers of the tile from (line0, k0) on, which are neighbours in memory; zeros where there are none.
  DEVICE float4 fetch(int32_t line0, int32_t k0) const {
    const int32_t row = (AlongK ? line0 : k0) + row_of(), column = (AlongK ? k0 : line0) + column_of();
    const int32_t rows = AlongK ? lines : depth, columns = AlongK ? depth : lines;
    if (row >= rows) return {0.0f, 0.0f, 0.0f, 0.0f};
    const float* const at = base + static_cast<int64_t>(row) * columns + column;
    if (columns % 4 == 0) return column < columns ? load4(at) : float4{0.0f, 0.0f, 0.0f, 0.0f};
    const auto one = [=](int32_t i) { return column + i < columns ? at[i] : 0.0f; };
    return {one(0), one(1), one(2), one(3)};
  }
  DEVICE static void put(float* tile, float4 v) {
    if (AlongK) {
      float* const at = tile + column_of() * kLine + row_of();
      at[0] = v.x, at[kLine] = v.y, at[2 * kLine] = v.z, at[3 * kLine] = v.w;
    } else {
      store4(tile + row_of() * kLine + column_of(), v);
    }
  }
  DEVICE static int32_t row_of() { return static_cast<int32_t>(threadIdx.x) / 8; }
  DEVICE static int32_t column_of() { return static_cast<int32_t>(threadIdx.x) % 8 * 4; }
};

// linear_product calls store(m, n, sum, line_sum) with the thread's sums d[m,n..n+3], m and n perhaps outside, and with sum_k a[m,k].
template <bool A, bool B, typename Store>
DEVICE void linear_product(const Operand<A>& a, const Operand<B>& b, float* tiles, Store store) {
  float *const tile_a = tiles, *const tile_b = tiles + kTileFloats;
  const int32_t m0 = static_cast<int32_t>(blockIdx.y) * kTile, n0 = static_cast<int32_t>(blockIdx.x) * kTile;
  const int32_t m = static_cast<int32_t>(threadIdx.x) / 8, n = static_cast<int32_t>(threadIdx.x) % 8 * 4;
  float4 sum = {0.0f, 0.0f, 0.0f, 0.0f};
  float line_sum = 0.0f;
  for (int32_t k0 = 0; k0 < a.depth; k0 += kTile) {
    const float4 next_a = a.fetch(m0, k0), next_b = b.fetch(n0, k0);
    __syncthreads();  // nobody reads the last step's tiles any more
    a.put(tile_a, next_a);
    b.put(tile_b, next_b);
    __syncthreads();  // this step's are whole
    for (int k = 0; k < kTile; k++) {
      const float factor = tile_a[k * kLine + m];
      sum = each([=](float v, float s) { return fmaf(factor, v, s); }, load4(tile_b + k * kLine + n), sum);
      line_sum += factor;
    }
  }
  store(m0 + m, n0 + n, sum, line_sum);
}

// store_four writes four neighbours of a row of d, those that there are.
DEVICE void store_four(float* d, int32_t rows, int32_t columns, int32_t m, int32_t n, float4 v) {
  if (m >= rows || n >= columns) return;
  float* const at = d + static_cast<int64_t>(m) * columns + n;
  if (columns % 4 == 0) return store4(at, v);
  at[0] = v.x;
  if (n + 1 < columns) at[1] = v.y;
  if (n + 2 < columns) at[2] = v.z;
  if (n + 3 < columns) at[3] = v.w;
}

#endif
