#include "emu_device.h"

// Each kernel: out and in have n floats, two blocks of 64 threads.
#define KERNEL(name) extern "C" __global__ void name(float* out, const float* in, int n)

KERNEL(read_past_the_end) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = in[i + 1];    // FAULT read_past_the_end: read of 4 bytes
  (void)n;
}
EXPORT_KERNEL(read_past_the_end)

KERNEL(write_before_the_start) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i - 1] = in[i];    // FAULT write_before_the_start: is outside of what was allocated
  (void)n;
}
EXPORT_KERNEL(write_before_the_start)

KERNEL(shared_past_the_end) {
  SHARED(float, tile, 64);
  const int t = threadIdx.x;
  tile[t + 1] = in[t];    // FAULT shared_past_the_end: is outside of what was allocated in shared memory
  __syncthreads();
  out[blockIdx.x * blockDim.x + t] = tile[t];
  (void)n;
}
EXPORT_KERNEL(shared_past_the_end)

KERNEL(misaligned) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const double* wide = reinterpret_cast<const double*>(in + 1);
  if (i == 0) out[0] = static_cast<float>(wide[0]);    // FAULT misaligned: is not aligned to 8
  (void)n;
}
EXPORT_KERNEL(misaligned)

KERNEL(unwritten_shared) {
  SHARED(float, tile, 64);
  const int t = threadIdx.x;
  if (t != 17) tile[t] = in[t];
  __syncthreads();
  out[blockIdx.x * blockDim.x + t] = tile[63 - t];    // FAULT unwritten_shared: nobody wrote it
  (void)n;
}
EXPORT_KERNEL(unwritten_shared)

KERNEL(unwritten_global) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const float old = out[i];    // FAULT unwritten_global: nobody wrote it
  out[i] = old + in[i];
  (void)n;
}
EXPORT_KERNEL(unwritten_global)

KERNEL(missing_barrier) {
  SHARED(float, tile, 64);
  const int t = threadIdx.x;
  tile[t] = 0.0f;
  __syncthreads();
  tile[t] = in[t];    // FAULT missing_barrier: race
  out[blockIdx.x * blockDim.x + t] = tile[t ^ 32];    // FAULT missing_barrier: race
  (void)n;
}
EXPORT_KERNEL(missing_barrier)

KERNEL(overwritten_too_early) {
  SHARED(float, tile, 64);
  const int t = threadIdx.x;
  tile[t] = in[t];
  __syncthreads();
  const float other = tile[63 - t];    // FAULT overwritten_too_early: race
  tile[t] = other;    // FAULT overwritten_too_early: race
  __syncthreads();
  out[blockIdx.x * blockDim.x + t] = tile[t];
  (void)n;
}
EXPORT_KERNEL(overwritten_too_early)

KERNEL(race_between_blocks) {
  out[threadIdx.x] = in[threadIdx.x];    // FAULT race_between_blocks: another block of this launch
  (void)n;
}
EXPORT_KERNEL(race_between_blocks)

KERNEL(missing_warp_barrier) {
  SHARED(float, tile, 64);
  const int t = threadIdx.x;
  tile[t] = 0.0f;
  __syncthreads();
  tile[t] = in[t];    // FAULT missing_warp_barrier: race
  const float other = tile[t ^ 1];    // FAULT missing_warp_barrier: race
  out[blockIdx.x * blockDim.x + t] = other;
  (void)n;
}
EXPORT_KERNEL(missing_warp_barrier)

KERNEL(plain_beside_atomic) {
  SHARED(int, count, 1);
  if (threadIdx.x == 0) count[0] = 0;
  __syncthreads();
  atomicAdd(count, 1);    // FAULT plain_beside_atomic: race
  out[blockIdx.x * blockDim.x + threadIdx.x] = count[0] * in[0];    // FAULT plain_beside_atomic: race
  (void)n;
}
EXPORT_KERNEL(plain_beside_atomic)

KERNEL(barrier_not_reached) {
  if (threadIdx.x >= 60) return;
  __syncthreads();    // FAULT barrier_not_reached: threads (60,0,0) (61,0,0) (62,0,0) (63,0,0) have ended without it
  out[blockIdx.x * blockDim.x + threadIdx.x] = in[0];
  (void)n;
}
EXPORT_KERNEL(barrier_not_reached)

KERNEL(lanes_left_out) {
  float v = in[threadIdx.x];
  if (threadIdx.x % 32 < 16) v = __shfl_xor_sync(0xffffffffu, v, 1);    // FAULT lanes_left_out: wait for lanes of their warp
  out[blockIdx.x * blockDim.x + threadIdx.x] = v;
  (void)n;
}
EXPORT_KERNEL(lanes_left_out)

KERNEL(copy_not_waited_for) {
  SHARED(float, tile, 64);
  const int t = threadIdx.x;
  if (t < 16) emu_copy_async(tile + 4 * t, in + 4 * t, 16);
  emu_copy_commit();
  emu_copy_wait(1);
  __syncthreads();
  out[blockIdx.x * blockDim.x + t] = tile[t];    // FAULT copy_not_waited_for: a copy to it has not been waited for
  (void)n;
}
EXPORT_KERNEL(copy_not_waited_for)

KERNEL(copy_without_barrier) {
  SHARED(float, tile, 64);
  const int t = threadIdx.x;
  if (t < 16) emu_copy_async(tile + 4 * t, in + 4 * t, 16);    // FAULT copy_without_barrier: race
  emu_copy_commit();
  emu_copy_wait(0);
  out[blockIdx.x * blockDim.x + t] = tile[t];    // FAULT copy_without_barrier:
  (void)n;
}
EXPORT_KERNEL(copy_without_barrier)

KERNEL(copy_over_what_is_read) {
  SHARED(float, tile, 64);
  const int t = threadIdx.x;
  tile[t] = in[t];
  __syncthreads();
  const float v = tile[63 - t];    // FAULT copy_over_what_is_read:
  if (t < 16) emu_copy_async(tile + 4 * t, in + 4 * t, 16);    // FAULT copy_over_what_is_read: race
  emu_copy_commit();
  emu_copy_wait(0);
  out[blockIdx.x * blockDim.x + t] = v;
  (void)n;
}
EXPORT_KERNEL(copy_over_what_is_read)

KERNEL(copy_to_what_is_not_shared) {
  const int t = threadIdx.x;
  if (t < 16) emu_copy_async(out + blockIdx.x * 64 + 4 * t, in + 4 * t, 16);    // FAULT copy_to_what_is_not_shared: to what is not shared memory
  emu_copy_commit();
  emu_copy_wait(0);
  (void)n;
}
EXPORT_KERNEL(copy_to_what_is_not_shared)

// Nothing is read, but the address is one of 16 bytes all the same.
KERNEL(copy_of_nothing_misaligned) {
  SHARED(float, tile, 64);
  const int t = threadIdx.x;
  if (t < 16) emu_copy_async(tile + 4 * t, in + 4 * t + 1, 0);    // FAULT copy_of_nothing_misaligned: source is not aligned to 16
  emu_copy_commit();
  emu_copy_wait(0);
  __syncthreads();
  out[blockIdx.x * blockDim.x + t] = tile[t];
  (void)n;
}
EXPORT_KERNEL(copy_of_nothing_misaligned)

KERNEL(copy_from_a_local_array) {
  SHARED(float, tile, 64);
  const int t = threadIdx.x;
  alignas(16) const float mine[4] = {in[t], in[t], in[t], in[t]};
  if (t < 16) emu_copy_async(tile + 4 * t, mine, 16);    // FAULT copy_from_a_local_array: from what is not device memory
  emu_copy_commit();
  emu_copy_wait(0);
  __syncthreads();
  out[blockIdx.x * blockDim.x + t] = tile[t];
  (void)n;
}
EXPORT_KERNEL(copy_from_a_local_array)

KERNEL(index_overflows) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x, far = 2147483600 + i;    // FAULT index_overflows: a signed integer overflows in an addition
  out[i] = far > n ? in[i] : 0.0f;
}
EXPORT_KERNEL(index_overflows)

// Both sides of a branch exchange with all lanes: on a card they do it one side after the other.
KERNEL(exchange_on_both_sides) {
  float v = in[threadIdx.x];
  if (threadIdx.x % 32 < 16)
    v += __shfl_xor_sync(0xffffffffu, v, 1);    // FAULT exchange_on_both_sides: one instruction must be all lanes'
  else
    v -= __shfl_xor_sync(0xffffffffu, v, 2);    // FAULT exchange_on_both_sides: one instruction must be all lanes'
  out[blockIdx.x * blockDim.x + threadIdx.x] = v;
  (void)n;
}
EXPORT_KERNEL(exchange_on_both_sides)

KERNEL(barrier_on_both_sides) {
  float v = in[threadIdx.x];
  if (threadIdx.x < 40) {
    v *= 2.0f;
    __syncthreads();    // FAULT barrier_on_both_sides: one barrier must be all threads'
  } else {
    v *= 3.0f;
    __syncthreads();    // FAULT barrier_on_both_sides: one barrier must be all threads'
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = v;
  (void)n;
}
EXPORT_KERNEL(barrier_on_both_sides)

// No fault from here on: what looks like one must not be reported.

KERNEL(sound_block_sum) {
  SHARED(float, sums, 2);
  const int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
  float v = i < n ? in[i] : 0.0f;
  for (int lanes = 16; lanes > 0; lanes /= 2) v += __shfl_xor_sync(0xffffffffu, v, lanes);
  if (t % 32 == 0) sums[t / 32] = v;
  __syncthreads();
  out[i] = sums[0] + sums[1];
}
EXPORT_KERNEL(sound_block_sum)

KERNEL(sound_warp_exchange) {
  SHARED(float, tile, 64);
  const int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
  tile[t] = in[i];
  __syncwarp();
  const float next = tile[t / 32 * 32 + (t + 1) % 32];
  __syncwarp();
  tile[t] = 2.0f * next;
  out[i] = __all_sync(0xffffffffu, n > 0) ? tile[t] : 0.0f;
}
EXPORT_KERNEL(sound_warp_exchange)

// Two stages of copies, one ahead: each is waited for, and a stage is refilled only after a barrier.
KERNEL(sound_copies) {
  SHARED(float, tile, 128);
  const int t = threadIdx.x;
  const float* const mine = in + blockIdx.x * 64;
  float sum = 0.0f;
  if (t < 16) emu_copy_async(tile + 4 * t, mine + 4 * t, 16);
  emu_copy_commit();
  for (int k = 0; k < 4; k++) {
    if (k < 3 && t < 16) emu_copy_async(tile + 64 * ((k + 1) % 2) + 4 * t, mine + 4 * t, k == 2 ? 0 : 16);
    emu_copy_commit();
    emu_copy_wait(1);
    __syncthreads();
    sum += tile[64 * (k % 2) + 63 - t];
    __syncthreads();
  }
  out[blockIdx.x * 64 + t] = sum;    // three times the value: the last copy has no source and is zero
  (void)n;
}
EXPORT_KERNEL(sound_copies)

// A warp barrier may stand at several places.
KERNEL(sound_warp_barriers) {
  SHARED(float, tile, 64);
  const int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
  tile[t] = in[i];
  if (t % 32 < 16)
    __syncwarp();
  else
    __syncwarp();
  out[i] = tile[t ^ 1];
  (void)n;
}
EXPORT_KERNEL(sound_warp_barriers)

// With all the dynamic memory that a launch may have without asking there is no room for this.
KERNEL(static_beside_dynamic) {
  SHARED(float, tile, 64);
  tile[threadIdx.x] = in[threadIdx.x];
  out[blockIdx.x * blockDim.x + threadIdx.x] = tile[threadIdx.x];
  (void)n;
}
EXPORT_KERNEL(static_beside_dynamic)

KERNEL(sound_atomics) {
  SHARED(int, count, 1);
  if (threadIdx.x == 0) count[0] = 0;
  __syncthreads();
  if (in[blockIdx.x * blockDim.x + threadIdx.x] > 0.0f) atomicAdd(count, 1);
  __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = static_cast<float>(count[0]);
  (void)n;
}
EXPORT_KERNEL(sound_atomics)
