// The convolutions of the stem: 3x3 taps of 3 channels, stride 1, pad 1. The 27 numbers of a filter, weights or their gradients, stay in a thread's registers;
// the lanes of a warp have neighbouring filters and read the same pixels of x, one broadcast each. Tiles of a matrix product would be 27 of 32 deep, and their
// 16-byte copies would not fit windows of 3 channels.
#ifndef NCTRAIN_CONV_REGISTERS_CUH
#define NCTRAIN_CONV_REGISTERS_CUH
#include "conv.cuh"

constexpr int kTaps = 3, kChannels = 3, kWindow = kTaps * kTaps * kChannels;
// Of a block: a thread is one of kStemSlots at one of kFilters; launches_conv.go has the same numbers.
constexpr int kFilters = 64, kStemSlots = 4, kThreads = kFilters * kStemSlots;

DEVICE int32_t block_k0() { return static_cast<int32_t>(blockIdx.y) * kFilters; }
DEVICE int32_t thread_filter() { return static_cast<int32_t>(threadIdx.x) % kFilters; }
DEVICE int32_t thread_slot() { return static_cast<int32_t>(threadIdx.x) / kFilters; }
// How many of w's numbers, from the block's first filter on, are the block's.
DEVICE int32_t block_weights(const Conv& conv) { return (conv.K - block_k0() < kFilters ? conv.K - block_k0() : kFilters) * kWindow; }

#endif
