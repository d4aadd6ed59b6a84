// What every kernel includes: the CUDA language for both of its compilers, and the one place for inline PTX.
//
// nvcc compiles a .cu for the card, g++ for the emulated driver (cudart/emu), from the same source. Both are told not to contract a*b + c (-fmad=false,
// -ffp-contract=off): a kernel writes fmaf where it means one rounding, and so has the same bits on either.
#ifndef NCTRAIN_DEVICE_CUH
#define NCTRAIN_DEVICE_CUH
#include <stdint.h>

#ifdef __CUDACC__
#define DEVICE __device__ __forceinline__
#define SHARED(T, name, n) __shared__ __align__(16) T name[n]
#define DYNAMIC_SHARED(T, name)                            \
  extern __shared__ __align__(1024) char dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(dynamic_shared)
#define EXPORT_KERNEL(k)

DEVICE float4 load4(const float* p) { return *reinterpret_cast<const float4*>(p); }
DEVICE void store4(float* p, float4 v) { *reinterpret_cast<float4*>(p) = v; }
DEVICE float2 load2(const float* p) { return *reinterpret_cast<const float2*>(p); }
DEVICE void store2(float* p, float2 v) { *reinterpret_cast<float2*>(p) = v; }
DEVICE float float_of(uint32_t bits) { return __uint_as_float(bits); }

// From sm_80 on (a kernel's "Builds for" line). What each does stands with the emulated driver's, below.
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
DEVICE uint32_t shared_address(const void* p) { return static_cast<uint32_t>(__cvta_generic_to_shared(p)); }
DEVICE void copy_async16(void* shared, const void* global, uint32_t source_bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(source_bytes) : "memory");
}
DEVICE void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int GroupsLeft>
DEVICE void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(GroupsLeft) : "memory");
}
DEVICE void ldmatrix4(uint32_t out[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(shared_address(row))
               : "memory");
}
DEVICE void ldmatrix4_transposed(uint32_t out[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(shared_address(row))
               : "memory");
}
DEVICE uint32_t tf32_of(float x) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}
DEVICE uint32_t bf16_pair(float low, float high) {
  uint32_t bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}
DEVICE void mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
DEVICE void mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2]) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif
#else
#include "emu_device.h"
#define DEVICE __forceinline__

// Checked as the one access of 16, or 8, aligned bytes that it is on the card.
__attribute__((no_sanitize("thread"))) inline float4 unchecked_load4(const float* p) { return {p[0], p[1], p[2], p[3]}; }
__attribute__((no_sanitize("thread"))) inline void unchecked_store4(float* p, float4 v) { p[0] = v.x, p[1] = v.y, p[2] = v.z, p[3] = v.w; }
DEVICE float4 load4(const float* p) {
  emu_access(p, 16, 0, 16);
  return unchecked_load4(p);
}
DEVICE void store4(float* p, float4 v) {
  emu_access(p, 16, 1, 16);
  unchecked_store4(p, v);
}
__attribute__((no_sanitize("thread"))) inline float2 unchecked_load2(const float* p) { return {p[0], p[1]}; }
__attribute__((no_sanitize("thread"))) inline void unchecked_store2(float* p, float2 v) { p[0] = v.x, p[1] = v.y; }
DEVICE float2 load2(const float* p) {
  emu_access(p, 8, 0, 8);
  return unchecked_load2(p);
}
DEVICE void store2(float* p, float2 v) {
  emu_access(p, 8, 1, 8);
  unchecked_store2(p, v);
}
DEVICE float float_of(uint32_t bits) { return __builtin_bit_cast(float, bits); }

// copy_async16: 16 bytes of global memory into shared memory, of which the first source_bytes are read and the rest is zero; it has landed once its group
// (those since the last commit) was waited for by the thread, and for others after a barrier as well.
DEVICE void copy_async16(void* shared, const void* global, uint32_t source_bytes) { emu_copy_async(shared, global, source_bytes); }
DEVICE void copy_async_commit() { emu_copy_commit(); }
template <int GroupsLeft>
DEVICE void copy_async_wait() {
  emu_copy_wait(GroupsLeft);
}
// ldmatrix4: four 8x8 matrices of 16-bit elements in shared memory; lane l names row l%8 of matrix l/8.
DEVICE void ldmatrix4(uint32_t out[4], const void* row) { emu_ldmatrix(out, row, 0); }
DEVICE void ldmatrix4_transposed(uint32_t out[4], const void* row) { emu_ldmatrix(out, row, 1); }
// tf32_of: x with 10 bits of mantissa, to the nearest, ties away from zero. bf16_pair: two numbers as bf16, to the nearest, ties to even, the first in the low half.
// What rounds beyond the largest number is infinite. NaN stays NaN, but in tf32 one without any of the upper ten bits of its mantissa, which no arithmetic
// makes, is infinite: ptxas adds half a unit to what is finite, and leaves the rest to the ten bits that are read.
DEVICE uint32_t tf32_of(float x) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, x);
  return (bits + (fabsf(x) < INFINITY ? 0x1000u : 0u)) & 0xffffe000u;  // a carry goes into the exponent
}
DEVICE uint32_t bf16_of(float x) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, x);
  if (x != x) return 0x7fffu;
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}
DEVICE uint32_t bf16_pair(float low, float high) { return bf16_of(low) | bf16_of(high) << 16; }
// mma_bf16: d[16,8] += a[16,16] * b[16,8], mma_tf32: d[16,8] += a[16,8] * b[8,8]; a by rows, b by columns, one tile a warp.
DEVICE void mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2]) { emu_mma_bf16(d, a, b); }
DEVICE void mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2]) { emu_mma_tf32(d, a, b); }
#endif

#define KERNEL extern "C" __global__ void

// Slots of the state operand, and flags of a call: kernels/ops.go and kernels/op.go, checked by a test.
enum { STATE_STEP, STATE_SLOT, STATE_CURSOR, STATE_EPOCH, STATE_SEED, STATE_NONFINITE };
enum { FLAG_RELU = 1, FLAG_RANDOM_CROP_FLIP = 2 };

// The thread's number in the grid.
DEVICE int64_t global_thread() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }

// relu keeps NaN.
DEVICE float relu(float x) { return x <= 0.0f ? 0.0f : x; }
// relu_gradient: the mask is the output itself, so nothing is saved.
DEVICE float relu_gradient(float dy, float y) { return y > 0.0f ? dy : 0.0f; }

// How many consecutive elements are loaded and stored at once; `of` makes them of one after the other.
struct Vector4 {
  static constexpr int kWidth = 4;
  DEVICE static float4 load(const float* p) { return load4(p); }
  DEVICE static void store(float* p, float4 v) { store4(p, v); }
  template <typename F>
  DEVICE static float4 of(F f) {
    return {f(0), f(1), f(2), f(3)};
  }
};
struct Vector2 {
  static constexpr int kWidth = 2;
  DEVICE static float2 load(const float* p) { return load2(p); }
  DEVICE static void store(float* p, float2 v) { store2(p, v); }
  template <typename F>
  DEVICE static float2 of(F f) {
    return {f(0), f(1)};
  }
};
struct Single {
  static constexpr int kWidth = 1;
  DEVICE static float load(const float* p) { return *p; }
  DEVICE static void store(float* p, float v) { *p = v; }
  template <typename F>
  DEVICE static float of(F f) {
    return f(0);
  }
};

// for4 runs f on the thread's four consecutive elements of n, as one float4 where all four are there. f gets the index, and loads and stores by `at`.
template <typename F>
DEVICE void for4(int64_t n, F f) {
  const int64_t i = 4 * global_thread();
  if (i + 4 <= n) {
    f(i, Vector4());
  } else {
    for (int64_t k = i; k < n; k++) f(k, Single());
  }
}

// each applies f to every element of its operands.
template <typename F>
DEVICE float each(F f, float a) {
  return f(a);
}
template <typename F>
DEVICE float2 each(F f, float2 a) {
  return {f(a.x), f(a.y)};
}
template <typename F>
DEVICE float4 each(F f, float4 a) {
  return {f(a.x), f(a.y), f(a.z), f(a.w)};
}
template <typename F>
DEVICE float each(F f, float a, float b) {
  return f(a, b);
}
template <typename F>
DEVICE float2 each(F f, float2 a, float2 b) {
  return {f(a.x, b.x), f(a.y, b.y)};
}
template <typename F>
DEVICE float4 each(F f, float4 a, float4 b) {
  return {f(a.x, b.x), f(a.y, b.y), f(a.z, b.z), f(a.w, b.w)};
}
template <typename F>
DEVICE float each(F f, float a, float b, float c) {
  return f(a, b, c);
}
template <typename F>
DEVICE float2 each(F f, float2 a, float2 b, float2 c) {
  return {f(a.x, b.x, c.x), f(a.y, b.y, c.y)};
}
template <typename F>
DEVICE float4 each(F f, float4 a, float4 b, float4 c) {
  return {f(a.x, b.x, c.x), f(a.y, b.y, c.y), f(a.z, b.z, c.z), f(a.w, b.w, c.w)};
}

#endif
