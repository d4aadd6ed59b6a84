// The CUDA language for g++: what a .cu source finds in place of nvcc's built-ins when it is compiled for the emulated driver (cudart/emu).
//
// Each thread of a block is a fiber, and every function here that waits gives way to the other fibers. Memory accesses of the kernels are seen through the hooks
// that -fsanitize=thread plants; what those hooks cannot see (atomics, copies) is checked inside the functions below.
#ifndef EMU_DEVICE_H
#define EMU_DEVICE_H
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <type_traits>
#include <utility>

struct uint3 {
  unsigned x, y, z;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

// What libcuda_emu.so gives.
extern "C" {
uint3 emu_thread_index(void) __attribute__((const));
uint3 emu_block_index(void) __attribute__((const));
uint3 emu_block_size(void) __attribute__((const));
uint3 emu_grid_size(void) __attribute__((const));

void emu_barrier(void);                // of the block
void emu_warp_barrier(unsigned mask);  // of the lanes in mask; orders memory accesses only where these are all lanes of the warp

// emu_shuffle: each lane of mask gives `bytes` (at most 16), and gets into out what the lane `source` gave.
void emu_shuffle(unsigned mask, const void* in, void* out, size_t bytes, unsigned source);
// emu_ballot: bit i is the predicate of lane i, for the lanes of mask.
unsigned emu_ballot(unsigned mask, int predicate);

// emu_shared: the same block-shared memory for each thread that asks with the same key; emu_dynamic_shared: the launch's.
void* emu_shared(const void* key, size_t bytes, size_t align);
void* emu_dynamic_shared(void);

// emu_access: the check of one access as a whole (kind 0 read, 1 write, 2 atomic) that is `align`-aligned.
void emu_access(const void* address, size_t bytes, int kind, size_t align);

// emu_copy_async: 16 bytes global to shared, of which the first `source_bytes` are read and the rest is zero; it lands when its group is waited for.
void emu_copy_async(void* shared, const void* global, size_t source_bytes);
void emu_copy_commit(void);
void emu_copy_wait(int groups_left);

// emu_ldmatrix: ldmatrix.x4: lane l gives row l%8 (16 bytes of shared memory) of matrix l/8, and gets of each 8x8 matrix of 16-bit elements the two that mma.sync wants
// of it; transposed: of the matrix's transpose.
void emu_ldmatrix(unsigned out[4], const void* row, int transposed);
// emu_mma_bf16: mma.sync.m16n8k16, emu_mma_tf32: mma.sync.m16n8k8 (row.col); d += a*b, fragments as the PTX ISA lays them out, float32 sums in order of k.
void emu_mma_bf16(float d[4], const unsigned a[4], const unsigned b[2]);
void emu_mma_tf32(float d[4], const unsigned a[4], const unsigned b[2]);
}

#define threadIdx (emu_thread_index())
#define blockIdx (emu_block_index())
#define blockDim (emu_block_size())
#define gridDim (emu_grid_size())

__forceinline__ void __syncthreads() { emu_barrier(); }
__forceinline__ void __syncwarp(unsigned mask = 0xffffffffu) { emu_warp_barrier(mask); }

namespace emu {

__forceinline__ unsigned lane() {
  const uint3 t = threadIdx, b = blockDim;
  return (t.x + b.x * (t.y + b.y * t.z)) % 32;
}

template <typename T>
__forceinline__ T shuffle(unsigned mask, T value, unsigned source) {
  T out;
  emu_shuffle(mask, &value, &out, sizeof value, source % 32);
  return out;
}

template <typename T, typename F>
__attribute__((no_sanitize("thread"))) inline T exchange(T* address, F change) {
  const T old = *address;
  *address = change(old);
  return old;
}

// update is an atomic read-modify-write: fibers do not give way inside it.
template <typename T, typename F>
__forceinline__ T update(T* address, F change) {
  emu_access(address, sizeof(T), 2, sizeof(T));
  return exchange(address, change);
}

// Reinterprets the void* slots of a launch as the kernel's own parameters.
template <typename... A, size_t... I>
__attribute__((no_sanitize("thread"))) inline void call(void (*kernel)(A...), void** slots, std::index_sequence<I...>) {
  kernel(*static_cast<A*>(slots[I])...);
}
template <typename... A>
inline void call(void (*kernel)(A...), void** slots) {
  call(kernel, slots, std::index_sequence_for<A...>{});
}
template <typename... A>
constexpr size_t parameter_count(void (*)(A...)) {
  return sizeof...(A);
}
template <typename... A>
inline size_t parameter_size(void (*)(A...), size_t i) {
  constexpr size_t sizes[] = {sizeof(A)..., 0};
  return i < sizeof...(A) ? sizes[i] : 0;
}

}  // namespace emu

// Shuffles over whole warps (a width of 32), as the kernels use them.
template <typename T>
__forceinline__ T __shfl_sync(unsigned mask, T value, int source) {
  return emu::shuffle(mask, value, static_cast<unsigned>(source));
}
template <typename T>
__forceinline__ T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  return emu::shuffle(mask, value, emu::lane() ^ static_cast<unsigned>(lanes));
}
template <typename T>
__forceinline__ T __shfl_down_sync(unsigned mask, T value, unsigned delta) {
  const unsigned source = emu::lane() + delta;
  return emu::shuffle(mask, value, source < 32 ? source : emu::lane());
}
template <typename T>
__forceinline__ T __shfl_up_sync(unsigned mask, T value, unsigned delta) {
  const unsigned lane = emu::lane();
  return emu::shuffle(mask, value, lane >= delta ? lane - delta : lane);
}
__forceinline__ unsigned __ballot_sync(unsigned mask, int predicate) { return emu_ballot(mask, predicate); }
__forceinline__ int __any_sync(unsigned mask, int predicate) { return emu_ballot(mask, predicate) != 0; }
__forceinline__ int __all_sync(unsigned mask, int predicate) { return emu_ballot(mask, predicate) == mask; }

template <typename T>
__forceinline__ T atomicAdd(T* address, std::type_identity_t<T> value) {
  return emu::update(address, [=](T old) { return static_cast<T>(old + value); });
}
template <typename T>
__forceinline__ T atomicMax(T* address, std::type_identity_t<T> value) {
  return emu::update(address, [=](T old) { return old < value ? value : old; });
}
template <typename T>
__forceinline__ T atomicCAS(T* address, std::type_identity_t<T> compare, std::type_identity_t<T> value) {
  return emu::update(address, [=](T old) { return old == compare ? value : old; });
}

__forceinline__ unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(static_cast<uint64_t>(a) * b >> 32); }

// SHARED(T, name, n): n elements shared by the block.   DYNAMIC_SHARED(T, name): what the launch asked for.
#define SHARED(T, name, n)          \
  static const char name##_key = 0; \
  T* const name = static_cast<T*>(emu_shared(&name##_key, sizeof(T) * (n), alignof(T) < 16 ? 16 : alignof(T)))
#define DYNAMIC_SHARED(T, name) T* const name = static_cast<T*>(emu_dynamic_shared())

// EXPORT_KERNEL(k): how the emulated driver finds and calls the kernel k.
#define EXPORT_KERNEL(k)                                                    \
  extern "C" void emu_call_##k(void** slots) { emu::call(k, slots); }       \
  extern "C" size_t emu_count_##k(void) { return emu::parameter_count(k); } \
  extern "C" size_t emu_size_##k(size_t i) { return emu::parameter_size(k, i); }

#endif
