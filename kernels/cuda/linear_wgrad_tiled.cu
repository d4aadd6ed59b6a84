// linear_wgrad_tiled: dw[k,c] = sum_n dy[n,k]*x[n,c], dbias[k] = sum_n dy[n,k].      x [n,c], dy [n,k], dw [k,c]
// Grid:  x: tiles of 32 inputs c, the first of which sums dbias as well, y: tiles of 32 outputs k; 256 threads.
// Needs: 16-byte aligned buffers.      Builds for: sm_75 and later.
// Cost:  2*n*k*c flop; dy is read once a tile of inputs, x once a tile of outputs, 16 bytes a load where k and c are multiples of 4.
#include "linear_tiled.cuh"

KERNEL linear_wgrad_tiled(float* dw, float* dbias, const float* x, const float* dy, int32_t n, int32_t c, int32_t k) {
  SHARED(float, tiles, 2 * kTileFloats);
  linear_product(Operand<false>{dy, k, n}, Operand<false>{x, c, n}, tiles, [=](int32_t row, int32_t column, float4 sum, float line_sum) {
    store_four(dw, k, c, row, column, sum);
    if (column == 0 && row < k) dbias[row] = line_sum;
  });
}
EXPORT_KERNEL(linear_wgrad_tiled)
