// conv_wgrad_sum: dw[i] = sum_j sums[j,i], parts x n elements: the second launch of every conv_wgrad that splits its pixels into parts.
// Grid:  one thread four elements, 16 bytes a load and a store.      Needs: dw 16-byte aligned; sums too where n is a multiple of 4.
// Cost:  4*(parts+1) bytes an element, bound by memory.
// Four sums of every fourth part each and then theirs, so that a sum of n parts errs as one of n/4.
#ifndef NCTRAIN_CONV_WGRAD_SUM_CUH
#define NCTRAIN_CONV_WGRAD_SUM_CUH
#include "device.cuh"

template <typename At>
DEVICE auto sum_of_parts(const float* sums, int64_t n, int32_t parts, int64_t i, At at) {
  using Value = decltype(at.load(sums));
  const auto add = [](float a, float b) { return a + b; };
  Value total[4] = {};
  for (int32_t first = 0; first < parts; first += 4) {
#pragma unroll
    for (int32_t j = 0; j < 4; j++)
      if (first + j < parts) total[j] = each(add, total[j], at.load(sums + (first + j) * n + i));
  }
  return each(add, each(add, total[0], total[1]), each(add, total[2], total[3]));
}

KERNEL conv_wgrad_sum(float* dw, const float* sums, int64_t n, int32_t parts) {
  if (n % 4 == 0) {
    for4(n, [=](int64_t i, auto at) { at.store(dw + i, sum_of_parts(sums, n, parts, i, at)); });
  } else {
    for (int64_t i = 4 * global_thread(), end = i + 4; i < end && i < n; i++) dw[i] = sum_of_parts(sums, n, parts, i, Single());
  }
}

#endif
