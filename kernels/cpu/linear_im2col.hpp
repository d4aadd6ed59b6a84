// linear_fprop_im2col: y[n,k] = sum_c x[n,c]*w[k,c] + bias[k]
// linear_dgrad_im2col: dx[n,c] = sum_k dy[n,k]*w[k,c]
// linear_wgrad_im2col: dw[k,c] = sum_n dy[n,k]*x[n,c], dbias[k] = sum_n dy[n,k]
//
// A linear layer is a 1x1 convolution of images of one pixel: blocking, packing and error are those of conv_*_im2col. The bias is added last.
// Needs: w packed by linear_fprop_im2col_pack or linear_dgrad_im2col_pack.
#ifndef NCT_LINEAR_IM2COL_HPP
#define NCT_LINEAR_IM2COL_HPP
#include "conv_im2col.hpp"
#include "conv_im2col_pack.hpp"
#include "conv_im2col_wgrad.hpp"

namespace nct::NCT_ISA {

inline nct_shape as_convolution(const nct_shape& s) { return {s.n, 1, 1, s.c, s.k, 1, 1, 1, 0}; }

inline nct_call as_convolution(const nct_call& linear) {
  nct_call call = linear;
  call.shape = as_convolution(linear.shape);
  return call;
}

template <typename T>
void linear_fprop_im2col_pack(const nct_call* linear, nct_pool* pool) {
  const nct_call call = as_convolution(*linear);
  conv_fprop_im2col_pack<T>(&call, pool);
}

template <typename T>
void linear_dgrad_im2col_pack(const nct_call* linear, nct_pool* pool) {
  const nct_call call = as_convolution(*linear);
  conv_dgrad_im2col_pack<T>(&call, pool);
}

template <typename T>
void linear_fprop_im2col(const nct_call* linear, nct_pool* pool) {
  const int64_t columns = linear->shape.k;
  const float* const bias = operand<const float>(linear, 2);
  float* const y = operand<float>(linear, 3);
  nct_call call = as_convolution(*linear);
  call.operand[2] = y;
  conv_fprop_im2col<T>(&call, pool);
  parallel_ranges(pool, linear->shape.n, larger(1, kElementwiseStep / columns), [=](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; n++)
      for_vectors<float>(columns,
                         [=](int64_t k, auto part) { store(y + n * columns + k, load(y + n * columns + k, part) + load(bias + k, part), part); });
  });
}

template <typename T>
void linear_fprop_im2col_requirements(const nct_shape* s, nct_requirements* need) {
  const nct_shape shape = as_convolution(*s);
  conv_fprop_im2col_requirements<T>(&shape, need);
}

template <typename T>
void linear_dgrad_im2col(const nct_call* linear, nct_pool* pool) {
  const nct_call call = as_convolution(*linear);
  conv_dgrad_im2col<T>(&call, pool);
}

template <typename T>
void linear_dgrad_im2col_requirements(const nct_shape* s, nct_requirements* need) {
  const nct_shape shape = as_convolution(*s);
  conv_dgrad_im2col_requirements<T>(&shape, need);
}

// sum_rows: out[k] = sum_n rows[n,k]; chains of 256 rows, then a chain of their sums.
inline void sum_rows(nct_pool* pool, const float* rows, int64_t n, int64_t columns, float* out) {
  constexpr int64_t kStep = 64, kChain = 256;
  parallel_ranges(pool, columns, kStep, [=](int64_t begin, int64_t end) {
    for_vectors<float>(end - begin, [=](int64_t k, auto part) {
      Vector<float> total{};
      for (int64_t first = 0; first < n; first += kChain) {
        Vector<float> sum{};
        for (int64_t i = first; i < smaller(n, first + kChain); i++) sum += load(rows + i * columns + begin + k, part);
        total += sum;
      }
      store(out + begin + k, total, part);
    });
  });
}

template <typename T>
void linear_wgrad_im2col(const nct_call* linear, nct_pool* pool) {
  const nct_call call = as_convolution(*linear);
  conv_wgrad_im2col<T>(&call, pool);
  sum_rows(pool, operand<const float>(linear, 1), linear->shape.n, linear->shape.k, operand<float>(linear, 3));
}

template <typename T>
void linear_wgrad_im2col_requirements(const nct_shape* s, nct_requirements* need) {
  const nct_shape shape = as_convolution(*s);
  conv_wgrad_im2col_requirements<T>(&shape, need);
}

}  // namespace nct::NCT_ISA
#endif
