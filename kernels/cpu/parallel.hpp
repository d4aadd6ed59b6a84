// Loops over the pool's threads, and a call's operands with their types.
#ifndef NCT_PARALLEL_HPP
#define NCT_PARALLEL_HPP
#include "nct.h"
#include "pool.hpp"
#include "vec.hpp"

namespace nct::NCT_ISA {

template <typename T>
inline T* operand(const nct_call* call, int i) {
  return static_cast<T*>(call->operand[i]);
}

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

// parallel calls body(task, thread) for every task in [0, tasks), in any order and on any threads: what is summed in which order follows from the shape.
template <typename Body>
inline void parallel(nct_pool* pool, int64_t tasks, Body body) {
  nct_parallel(
      pool, static_cast<int>(tasks), [](void* ctx, int task, int thread) { (*static_cast<Body*>(ctx))(int64_t{task}, thread); }, &body);
}

// parallel_ranges cuts [0, n) into ranges of `step` and calls body(begin, end) for each.
template <typename Body>
inline void parallel_ranges(nct_pool* pool, int64_t n, int64_t step, Body body) {
  parallel(pool, ceil_div(n, step), [&](int64_t task, int) { body(task * step, smaller(n, (task + 1) * step)); });
}

// Elements of a task of an elementwise operation: some microseconds of memory traffic, a multiple of every vector length.
constexpr int64_t kElementwiseStep = 16384;

}  // namespace nct::NCT_ISA
#endif
