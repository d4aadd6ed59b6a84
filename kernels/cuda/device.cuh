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
#define DYNAMIC_SHARED(T, name)                           \
  extern __shared__ __align__(1024) char dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(dynamic_shared)
#define EXPORT_KERNEL(k)

DEVICE float4 load4(const float* p) { return *reinterpret_cast<const float4*>(p); }
DEVICE void store4(float* p, float4 v) { *reinterpret_cast<float4*>(p) = v; }
#else
#include "emu_device.h"
#define DEVICE __forceinline__

// Checked as the one access of 16 aligned bytes that it is on the card.
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
#endif

#define KERNEL extern "C" __global__ void

// Slots of the state operand, and flags of a call: kernels/ops.go and kernels/op.go, checked by a test.
enum { STATE_STEP, STATE_SLOT, STATE_CURSOR, STATE_EPOCH, STATE_SEED, STATE_NONFINITE };
enum { FLAG_RELU = 1, FLAG_RANDOM_CROP_FLIP = 2 };

// The thread's number in the grid.
DEVICE int64_t global_thread() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }

// relu keeps NaN.
DEVICE float relu(float x) { return x <= 0.0f ? 0.0f : x; }

// for4 runs f on the thread's four consecutive elements of n, as one float4 where all four are there. f gets the index, and loads and stores by `at`.
struct Vector4 {
  DEVICE static float4 load(const float* p) { return load4(p); }
  DEVICE static void store(float* p, float4 v) { store4(p, v); }
};
struct Single {
  DEVICE static float load(const float* p) { return *p; }
  DEVICE static void store(float* p, float v) { *p = v; }
};
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
DEVICE float4 each(F f, float4 a) {
  return {f(a.x), f(a.y), f(a.z), f(a.w)};
}
template <typename F>
DEVICE float each(F f, float a, float b) {
  return f(a, b);
}
template <typename F>
DEVICE float4 each(F f, float4 a, float4 b) {
  return {f(a.x, b.x), f(a.y, b.y), f(a.z, b.z), f(a.w, b.w)};
}

#endif
