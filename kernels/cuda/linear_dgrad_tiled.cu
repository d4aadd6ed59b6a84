// linear_dgrad_tiled: dx[n,c] = sum_k dy[n,k]*w[k,c].      dy [n,k], w [k,c], dx [n,c]
// Grid:  x: tiles of 32 inputs c, y: tiles of 32 samples; 256 threads.      Needs: 16-byte aligned buffers.      Builds for: sm_75 and later.
// Cost:  2*n*k*c flop; dy is read once a tile of inputs, w once a tile of samples, 16 bytes a load where k and c are multiples of 4.
#include "linear_tiled.cuh"

KERNEL linear_dgrad_tiled(float* dx, const float* dy, const float* w, int32_t n, int32_t c, int32_t k) {
  SHARED(float, tiles, 2 * kTileFloats);
  linear_product(Operand<true>{dy, n, k}, Operand<false>{w, c, k}, tiles,
                 [=](int32_t row, int32_t column, float4 sum, float) { store_four(dx, n, c, row, column, sum); });
}
EXPORT_KERNEL(linear_dgrad_tiled)
