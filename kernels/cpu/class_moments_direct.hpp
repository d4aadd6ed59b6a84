// class_moments: the sums of rows of features x[n,c] by their class k, of which NC's statistics are made (analysis/stats), in double whatever T is:
//   shift[k] = mean of the call's rows of k, where count[k] = 0 and it has any; d[n] = x[n] - shift[labels[n]];
//   sum[k] += sum_n d[n]; square[k] += sum_n |d[n]|^2; count[k] += rows of k; second[i,j] += sum_n d[n,i]*d[n,j] for i <= j.
// Task: some columns of d, then a row of second.      Cost: N*C*(C+1) flop.      Needs: workspace of N*C doubles; labels in [0, K).
#ifndef NCT_CLASS_MOMENTS_DIRECT_HPP
#define NCT_CLASS_MOMENTS_DIRECT_HPP
#include "parallel.hpp"

namespace nct::NCT_ISA {

constexpr int64_t kMomentColumns = 16;  // of a task

template <typename T>
void class_moments_direct_requirements(const nct_shape* shape, nct_requirements* r) {
  r->workspace = shape->n * shape->c * static_cast<int64_t>(sizeof(double));
}

template <typename T>
void class_moments_direct(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const T* const x = operand<const T>(call, 0);
  const int32_t* const labels = operand<const int32_t>(call, 1);
  int64_t* const count = operand<int64_t>(call, 2);
  double* const shift = operand<double>(call, 3);
  double* const sum = operand<double>(call, 4);
  double* const square = operand<double>(call, 5);
  double* const second = operand<double>(call, 6);
  double* const shifted = static_cast<double*>(call->workspace);
  parallel_ranges(pool, s.c, kMomentColumns, [=, &s](int64_t begin, int64_t end) {
    for (int64_t k = 0; k < s.k; k++) {
      int64_t rows = 0;
      for (int64_t n = 0; n < s.n; n++) rows += labels[n] == k;
      if (rows == 0) continue;
      for (int64_t c = begin; c < end; c++) {
        if (count[k] == 0) {
          double total = 0;
          for (int64_t n = 0; n < s.n; n++)
            if (labels[n] == k) total += static_cast<double>(x[n * s.c + c]);
          shift[k * s.c + c] = total / static_cast<double>(rows);
        }
        double total = 0;
        for (int64_t n = 0; n < s.n; n++) {
          if (labels[n] != k) continue;
          shifted[n * s.c + c] = static_cast<double>(x[n * s.c + c]) - shift[k * s.c + c];
          total += shifted[n * s.c + c];
        }
        sum[k * s.c + c] += total;
      }
    }
  });
  for (int64_t n = 0; n < s.n; n++) {
    double total = 0;
    for (int64_t c = 0; c < s.c; c++) total += shifted[n * s.c + c] * shifted[n * s.c + c];
    square[labels[n]] += total;
    count[labels[n]]++;
  }
  parallel(pool, s.c, [=, &s](int64_t i, int) {
    for_vectors<double>(s.c - i, [=, &s](int64_t j, auto part) {
      Vector<double> total{};
      for (const double* row = shifted + i; row < shifted + s.n * s.c; row += s.c) total = fma(broadcast(*row), load(row + j, part), total);
      double* const at = second + i * s.c + i + j;
      store(at, load(at, part) + total, part);
    });
  });
}

}  // namespace nct::NCT_ISA
#endif
