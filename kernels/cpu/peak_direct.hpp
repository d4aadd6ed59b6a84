// peak_fma: y[i] = x[i] after k times x = x*a + (1 - a), n elements, a = scalar 0.      What this machine can compute: 2*n*k flop and no memory traffic.
// peak_read: y[n] = sum_c x[n,c].      What this machine can read: 4*n*c bytes (float), one addition each.
// They are the roofline that `nctrain kernels bench` compares the other kernels with; no network calls them.
// peak_fma keeps 12 independent chains in registers: two units of latency 4 want 8, separate multiplies and adds (baseline) 12, and 14 of 16 registers hold
// them with both constants.
#ifndef NCT_PEAK_DIRECT_HPP
#define NCT_PEAK_DIRECT_HPP
#include "parallel.hpp"

namespace nct::NCT_ISA {

template <typename T>
void peak_fma_direct(const nct_call* call, nct_pool* pool) {
  constexpr int kChains = 12;
  constexpr int64_t kGroup = kChains * lanes<T>, kGroupsPerTask = 64;
  const T* const x = operand<const T>(call, 0);
  T* const y = operand<T>(call, 1);
  const int64_t steps = call->shape.k;
  const Vector<T> a = broadcast(static_cast<T>(call->scalar[0])), b = broadcast(static_cast<T>(1 - call->scalar[0]));
  parallel_ranges(pool, call->shape.n, kGroup * kGroupsPerTask, [=](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + kGroup <= end; i += kGroup) {
      Vector<T> chain[kChains];
#pragma GCC unroll 16
      for (int j = 0; j < kChains; j++) chain[j] = load(x + i + j * lanes<T>);
      for (int64_t step = 0; step < steps; step++) {
#pragma GCC unroll 16
        for (int j = 0; j < kChains; j++) chain[j] = fma(chain[j], a, b);
      }
#pragma GCC unroll 16
      for (int j = 0; j < kChains; j++) store(y + i + j * lanes<T>, chain[j]);
    }
    for_vectors<T>(end - i, [=](int64_t j, auto part) {
      Vector<T> value = load(x + i + j, part);
      for (int64_t step = 0; step < steps; step++) value = fma(value, a, b);
      store(y + i + j, value, part);
    });
  });
}

template <typename T>
void peak_read_direct(const nct_call* call, nct_pool* pool) {
  constexpr int kSums = 8;
  constexpr int64_t kGroup = kSums * lanes<T>;
  const T* const x = operand<const T>(call, 0);
  T* const y = operand<T>(call, 1);
  const int64_t c = call->shape.c;
  parallel(pool, call->shape.n, [=](int64_t n, int) {
    const T* const row = x + n * c;
    Vector<T> sums[kSums] = {};
    int64_t i = 0;
    for (; i + kGroup <= c; i += kGroup) {
#pragma GCC unroll 8
      for (int j = 0; j < kSums; j++) sums[j] += load(row + i + j * lanes<T>);
    }
    for_vectors<T>(c - i, [&](int64_t j, auto part) { sums[0] += load(row + i + j, part); });
    for (int j = 1; j < kSums; j++) sums[0] += sums[j];
    y[n] = sum<T>(sums[0]);
  });
}

}  // namespace nct::NCT_ISA
#endif
