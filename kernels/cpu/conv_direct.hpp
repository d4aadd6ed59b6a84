// Convolutions without a change of form: NHWC activations, KRSC weights, float and double.
//
// conv_fprop: y[n,p,q,k]  = sum_{r,s,c} x[n, p*u+r-pad, q*u+s-pad, c] * w[k,r,s,c]
// conv_dgrad: dx[n,h,w,c] = sum_{r,s,k : h = p*u+r-pad, w = q*u+s-pad} dy[n,p,q,k] * w[k,r,s,c]
// conv_wgrad: dw[k,r,s,c] = sum_{n,p,q} x[n, p*u+r-pad, q*u+s-pad, c] * dy[n,p,q,k]
// conv_fprop_bn: conv_fprop, then bn_forward on y.      conv_fprop_stats: conv_fprop, then bn_stats of y.      conv_dgrad_add: dx += conv_dgrad.
//
// Vectors lie along c. fprop multiplies c-vectors of x and w for 4 pixels times kTileColumns output channels and adds the lanes at the end; dgrad and
// wgrad broadcast dy. A tap that falls outside the image reads a row of zeros, so that the tiles have no special cases.
// Needs: scratch of a row of zeros (fprop, dgrad), of the task's sums in double (wgrad).      Cost: 2*N*P*Q*K*R*S*C flop.
// Error: fprop and dgrad sum in T; wgrad at most 4096 products in T, then in double.
#ifndef NCT_CONV_DIRECT_HPP
#define NCT_CONV_DIRECT_HPP
#include "bn_forward_direct.hpp"
#include "bn_stats_direct.hpp"
#include "epilogue.hpp"
#include "tile_direct.hpp"

namespace nct::NCT_ISA {

// Output channels of a task: dy's and y's cache lines are used whole.
constexpr int64_t kConvTaskChannels = 16;

struct ConvGeometry : nct_shape {
  int64_t p, q;
  explicit ConvGeometry(const nct_shape& shape) : nct_shape(shape), p((h + 2 * pad - r) / stride + 1), q((w + 2 * pad - nct_shape::s) / stride + 1) {}
  // y as batch norm takes it.
  nct_shape outputs() const { return {n, p, q, k, 0, 0, 0, 0, 0}; }
};

template <typename T>
inline const T* zero_row(nct_pool* pool, int thread, int64_t n) {
  T* const zeros = static_cast<T*>(nct_pool_scratch(pool, thread));
  for (int64_t i = 0; i < n; i++) zeros[i] = 0;
  return zeros;
}

template <typename T>
void conv_fprop_direct_requirements(const nct_shape* shape, nct_requirements* r) {
  r->scratch = shape->c * static_cast<int64_t>(sizeof(T));
}

template <typename T>
void conv_fprop_direct(const nct_call* call, nct_pool* pool) {
  const ConvGeometry g(call->shape);
  const T* const x = operand<const T>(call, 0);
  const T* const w = operand<const T>(call, 1);
  T* const y = operand<T>(call, 2);
  const int64_t groups = ceil_div(g.k, kConvTaskChannels), pixels = g.p * g.q;
  parallel(pool, g.n * groups, [&](int64_t task, int thread) {
    const T* const zeros = zero_row<T>(pool, thread, g.c);
    const T* const image = x + task / groups * g.h * g.w * g.c;
    T* const out = y + task / groups * pixels * g.k;
    const int64_t k_begin = task % groups * kConvTaskChannels, k_end = smaller(g.k, k_begin + kConvTaskChannels);
    for (int64_t k = k_begin; k < k_end; k += kTileColumns) {
      for (int64_t pixel = 0; pixel < pixels; pixel += kTileRows) {
        // Rows and columns past the end repeat the last one; only those within are stored.
        Vector<T> sums[kTileRows][kTileColumns] = {};
        for (int64_t r = 0; r < g.r; r++) {
          for (int64_t s = 0; s < g.s; s++) {
            const T *a[kTileRows], *b[kTileColumns];
            for (int i = 0; i < kTileRows; i++) {
              const int64_t o = smaller(pixel + i, pixels - 1), h = o / g.q * g.stride + r - g.pad, column = o % g.q * g.stride + s - g.pad;
              const bool inside = h >= 0 && h < g.h && column >= 0 && column < g.w;
              a[i] = inside ? image + (h * g.w + column) * g.c : zeros;
            }
            for (int j = 0; j < kTileColumns; j++) b[j] = w + ((smaller(k + j, k_end - 1) * g.r + r) * g.s + s) * g.c;
            dot_tile<T>(sums, a, b, g.c);
          }
        }
        for (int i = 0; i < kTileRows && pixel + i < pixels; i++)
          for (int j = 0; j < kTileColumns && k + j < k_end; j++) out[(pixel + i) * g.k + k + j] = sum<T>(sums[i][j]);
      }
    }
  });
}

template <typename T>
void conv_fprop_bn_direct(const nct_call* call, nct_pool* pool) {
  nct_call convolution = *call, normalization = *call;
  convolution.operand[2] = call->operand[7];
  conv_fprop_direct<T>(&convolution, pool);
  // bn_forward: x, mean, invstd, gamma, beta, residual, y.
  normalization.shape = ConvGeometry(call->shape).outputs();
  normalization.operand[0] = call->operand[7];
  for (int i = 1; i < 7; i++) normalization.operand[i] = call->operand[i + 1];
  bn_forward_direct<T>(&normalization, pool);
}

template <typename T>
void conv_fprop_stats_direct_requirements(const nct_shape* shape, nct_requirements* r) {
  const nct_shape outputs = ConvGeometry(*shape).outputs();
  conv_fprop_direct_requirements<T>(shape, r);
  bn_stats_direct_requirements<T>(&outputs, r);
}

template <typename T>
void conv_fprop_stats_direct(const nct_call* call, nct_pool* pool) {
  nct_call convolution = *call, statistics = *call;
  convolution.operand[2] = call->operand[5];
  conv_fprop_direct<T>(&convolution, pool);
  // bn_stats: x, running_mean, running_var, num_batches_tracked, mean, invstd.
  statistics.shape = ConvGeometry(call->shape).outputs();
  statistics.operand[0] = call->operand[5];
  for (int i = 1; i < 4; i++) statistics.operand[i] = call->operand[i + 1];
  for (int i = 4; i < 6; i++) statistics.operand[i] = call->operand[i + 2];
  bn_stats_direct<T>(&statistics, pool);
}

template <typename T>
void conv_dgrad_direct_requirements(const nct_shape* shape, nct_requirements* r) {
  r->scratch = shape->k * static_cast<int64_t>(sizeof(T));
}

// dgrad_phase computes the pixels (h, w) with h % stride == phase_h and w % stride == phase_w of one image: they all meet the same taps.
template <typename T, typename Epilogue>
inline void dgrad_phase(const ConvGeometry& g, const T* dy, const T* w, const T* zeros, int64_t phase_h, int64_t phase_w, T* dx,
                        const Epilogue& epilogue) {
  const int64_t columns = (g.w - phase_w + g.stride - 1) / g.stride, pixels = (g.h - phase_h + g.stride - 1) / g.stride * columns;
  const int64_t taps = g.r * g.s;
  for_vector_blocks<T, kTileColumns>(g.c, [&](int64_t c, auto block, auto part) {
    for (int64_t pixel = 0; pixel < pixels; pixel += kTileRows) {
      Vector<T> sums[kTileRows][block.count] = {};
      int64_t at[kTileRows];
      for (int i = 0; i < kTileRows; i++) {
        const int64_t o = smaller(pixel + i, pixels - 1);
        at[i] = (o / columns * g.stride + phase_h) * g.w + o % columns * g.stride + phase_w;
      }
      for (int64_t tap = 0; tap < taps; tap++) {
        const T* a[kTileRows];
        bool any = false;
        for (int i = 0; i < kTileRows; i++) {
          const int64_t down = at[i] / g.w + g.pad - tap / g.s, right = at[i] % g.w + g.pad - tap % g.s;
          const bool inside = down >= 0 && down % g.stride == 0 && down / g.stride < g.p &&  //
                              right >= 0 && right % g.stride == 0 && right / g.stride < g.q;
          a[i] = inside ? dy + (down / g.stride * g.q + right / g.stride) * g.k : zeros;
          any = any || inside;
        }
        if (any) outer_tile<T>(sums, a, 1, w + tap * g.c + c, taps * g.c, g.k, part);
      }
      for (int i = 0; i < kTileRows && pixel + i < pixels; i++)
        for (int v = 0; v < block.count; v++) {
          T* const to = dx + at[i] * g.c + c + v * lanes<T>;
          store(to, epilogue.at(c + v * lanes<T>, part)(sums[i][v], to, part), part);
        }
    }
  });
}

template <typename T, typename Epilogue>
inline void conv_dgrad(const nct_call* call, nct_pool* pool, const Epilogue& epilogue) {
  const ConvGeometry g(call->shape);
  const T* const dy = operand<const T>(call, 0);
  const T* const w = operand<const T>(call, 1);
  T* const dx = operand<T>(call, 2);
  parallel(pool, g.n, [&](int64_t n, int thread) {
    const T* const zeros = zero_row<T>(pool, thread, g.k);
    for (int64_t h = 0; h < smaller(g.stride, g.h); h++)
      for (int64_t column = 0; column < smaller(g.stride, g.w); column++)
        dgrad_phase(g, dy + n * g.p * g.q * g.k, w, zeros, h, column, dx + n * g.h * g.w * g.c, epilogue);
  });
}

template <typename T>
void conv_dgrad_direct(const nct_call* call, nct_pool* pool) {
  conv_dgrad<T>(call, pool, KeepOutput<T>{});
}

template <typename T>
void conv_dgrad_add_direct(const nct_call* call, nct_pool* pool) {
  conv_dgrad<T>(call, pool, AddToOutput<T>{});
}

template <typename T>
void conv_wgrad_direct_requirements(const nct_shape* shape, nct_requirements* r) {
  r->scratch = kConvTaskChannels * shape->s * shape->c * static_cast<int64_t>(sizeof(double));
}

// wgrad_rows adds to sums[k - k_begin][s][c] (double) the products of output rows [p_begin, p_end) of one image with weight row r.
template <typename T>
inline void wgrad_rows(const ConvGeometry& g, const T* x, const T* dy, int64_t r, int64_t p_begin, int64_t p_end, int64_t k_begin, int64_t k_end,
                       double* sums) {
  for (int64_t s = 0; s < g.s; s++) {
    // The q whose column q*stride + s - pad lies in the image.
    const int64_t q_begin = larger(0, ceil_div(larger(0, g.pad - s), g.stride)), q_end = smaller(g.q, (g.w - 1 + g.pad - s + g.stride) / g.stride);
    for_vector_blocks<T, kTileColumns>(g.c, [&](int64_t c, auto block, auto part) {
      for (int64_t k = k_begin; k < k_end; k += kTileRows) {
        Vector<T> tile[kTileRows][block.count] = {};
        for (int64_t p = p_begin; p < p_end; p++) {
          const int64_t h = p * g.stride + r - g.pad;
          if (h < 0 || h >= g.h || q_begin >= q_end) continue;
          const T* a[kTileRows];
          for (int i = 0; i < kTileRows; i++) a[i] = dy + (p * g.q + q_begin) * g.k + smaller(k + i, k_end - 1);
          outer_tile<T>(tile, a, g.k, x + (h * g.w + q_begin * g.stride + s - g.pad) * g.c + c, g.stride * g.c, q_end - q_begin, part);
        }
        for (int i = 0; i < kTileRows && k + i < k_end; i++) {
          double* const to = sums + ((k - k_begin + i) * g.s + s) * g.c + c;
          T value[block.count * lanes<T>];
          for (int v = 0; v < block.count; v++) store(value + v * lanes<T>, tile[i][v]);
          for (int64_t j = 0; j < smaller(block.count * lanes<T>, g.c - c); j++) to[j] += static_cast<double>(value[j]);
        }
      }
    });
  }
}

template <typename T>
void conv_wgrad_direct(const nct_call* call, nct_pool* pool) {
  const ConvGeometry g(call->shape);
  const T* const x = operand<const T>(call, 0);
  const T* const dy = operand<const T>(call, 1);
  T* const dw = operand<T>(call, 2);
  const int64_t rows = larger(1, kProductsPerSum / g.q);
  parallel(pool, ceil_div(g.k, kConvTaskChannels) * g.r, [&](int64_t task, int thread) {
    const int64_t r = task % g.r, k_begin = task / g.r * kConvTaskChannels, k_end = smaller(g.k, k_begin + kConvTaskChannels);
    double* const sums = static_cast<double*>(nct_pool_scratch(pool, thread));
    const int64_t row = g.s * g.c;
    for (int64_t i = 0; i < (k_end - k_begin) * row; i++) sums[i] = 0;
    for (int64_t n = 0; n < g.n; n++)
      for (int64_t p = 0; p < g.p; p += rows)
        wgrad_rows(g, x + n * g.h * g.w * g.c, dy + n * g.p * g.q * g.k, r, p, smaller(g.p, p + rows), k_begin, k_end, sums);
    for (int64_t k = k_begin; k < k_end; k++)
      for (int64_t i = 0; i < row; i++) dw[(k * g.r + r) * row + i] = static_cast<T>(sums[(k - k_begin) * row + i]);
  });
}

}  // namespace nct::NCT_ISA
#endif
