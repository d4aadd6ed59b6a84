// linear_fprop_tiled: y[n,k] = sum_c x[n,c]*w[k,c] + bias[k].      x [n,c], w [k,c], y [n,k]
// Grid:  x: tiles of 32 outputs k, y: tiles of 32 samples; 256 threads.      Needs: 16-byte aligned buffers.      Builds for: sm_75 and later.
// Cost:  2*n*k*c flop; x is read once a tile of outputs, w once a tile of samples, 16 bytes a load where c is a multiple of 4.
#include "linear_tiled.cuh"

KERNEL linear_fprop_tiled(float* y, const float* x, const float* w, const float* bias, int32_t n, int32_t c, int32_t k) {
  SHARED(float, tiles, 2 * kTileFloats);
  linear_product(Operand<true>{x, n, c}, Operand<true>{w, k, c}, tiles, [=](int32_t row, int32_t column, float4 sum, float) {
    const auto b = [=](int32_t i) { return column + i < k ? bias[column + i] : 0.0f; };
    store_four(y, n, k, row, column, {sum.x + b(0), sum.y + b(1), sum.z + b(2), sum.w + b(3)});
  });
}
EXPORT_KERNEL(linear_fprop_tiled)
