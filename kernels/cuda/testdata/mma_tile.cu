// For the tests: one tile of a matrix product by the matrix instructions, through shared memory.      Builds for: sm_80 and later.
#include "../device.cuh"

// mma_tile_bf16: y[16,8] = a[16,16] * b[16,8], all row-major, a and b bf16. One warp. a by ldmatrix, b by its transposed form.
KERNEL mma_tile_bf16(float* y, const uint16_t* a, const uint16_t* b) {
  SHARED(uint16_t, tile, 16 * 16 + 16 * 8);
  const int lane = threadIdx.x;
  copy_async16(tile + lane * 8, a + lane * 8, 16);
  if (lane < 16) copy_async16(tile + 256 + lane * 8, b + lane * 8, 16);
  copy_async_commit();
  copy_async_wait<0>();
  __syncthreads();
  uint32_t fa[4], fb[4];
  ldmatrix4(fa, tile + lane % 16 * 16 + lane / 16 * 8);
  ldmatrix4_transposed(fb, tile + 256 + lane % 16 * 8);  // matrices 2 and 3 are 0 and 1 again
  float d[4] = {0, 0, 0, 0};
  mma_bf16(d, fa, fb);
  for (int i = 0; i < 4; i++) y[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = d[i];
}
EXPORT_KERNEL(mma_tile_bf16)

// mma_tile_tf32: y[16,8] = a[16,8] * b[8,8], all row-major float32, of which the products see 10 bits of mantissa.
KERNEL mma_tile_tf32(float* y, const uint32_t* a, const uint32_t* b) {
  const int lane = threadIdx.x, g = lane / 4, q = lane % 4;
  const uint32_t fa[4] = {a[g * 8 + q], a[(g + 8) * 8 + q], a[g * 8 + q + 4], a[(g + 8) * 8 + q + 4]};
  const uint32_t fb[2] = {b[q * 8 + g], b[(q + 4) * 8 + g]};
  float d[4] = {0, 0, 0, 0};
  mma_tf32(d, fa, fb);
  for (int i = 0; i < 4; i++) y[(g + i / 2 * 8) * 8 + q * 2 + i % 2] = d[i];
}
EXPORT_KERNEL(mma_tile_tf32)
