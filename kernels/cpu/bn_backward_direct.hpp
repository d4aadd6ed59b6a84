// bn_backward_stats: g = dy [flag RELU: where y > 0, else 0]; dbeta = sum g, dgamma = sum g*(x-mean)*invstd.
// bn_backward: dx = gamma*invstd * (g - dbeta/M - (x-mean)*invstd*dgamma/M), M = N*H*W; [dresidual = g].
// dy, y, x, dx, dresidual [n,h,w,c]; the others [c]. The mask is y itself: bit for bit the sequence relu_backward, bn_backward.
// dx may lie over dy.
// Cost: each operand moved once; a large dresidual past the caches.      Error: at most 256 rows are summed in T, then in double.
// Needs: workspace of BNReduction (bn_backward_stats).
#ifndef NCT_BN_BACKWARD_DIRECT_HPP
#define NCT_BN_BACKWARD_DIRECT_HPP
#include "bn_rows.hpp"

namespace nct::NCT_ISA {

// The gradient after the mask; y is not read without Relu.
template <typename T, bool Relu, typename Width>
inline Vector<T> bn_gradient(const T* dy, const T* y, Width part) {
  const Vector<T> gradient = load_ahead(dy, part);
  if constexpr (Relu) return where_positive(load_ahead(y, part), gradient);
  return gradient;
}

// bn_block_sums adds to dbeta and dgamma (still without invstd) the sums of a block of rows of n channels, `stride` elements apart.
template <typename T, bool Relu>
inline void bn_block_sums(const T* dy, const T* y, const T* x, const T* center, int64_t rows, int64_t stride, int64_t n, double* dbeta,
                          double* dgamma) {
  T sums[kBNTile], products[kBNTile];
  for (int64_t i = 0; i < n; i++) sums[i] = products[i] = 0;
  for (int64_t r = 0; r < rows; r++) {
    for_vectors<T>(n, [&](int64_t i, auto part) {
      const int64_t at = r * stride + i;
      const Vector<T> g = bn_gradient<T, Relu>(dy + at, y + at, part);
      store(sums + i, load(sums + i, part) + g, part);
      store(products + i, fma(g, load_ahead(x + at, part) - load(center + i, part), load(products + i, part)), part);
    });
  }
  for (int64_t i = 0; i < n; i++) {
    dbeta[i] += static_cast<double>(sums[i]);
    dgamma[i] += static_cast<double>(products[i]);
  }
}

template <typename T, bool Relu>
inline void bn_backward_stats(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const BNReduction g(s, lanes<T>, sizeof(T));
  const T* const dy = operand<const T>(call, 0);
  const T* const y = Relu ? operand<const T>(call, 1) : dy;
  const T* const x = operand<const T>(call, 2);
  const T* const mean = operand<const T>(call, 3);
  const T* const invstd = operand<const T>(call, 4);
  parallel(pool, g.tasks * g.tiles, [&](int64_t tile_task, int) {
    const int64_t task = tile_task / g.tiles, channel = tile_task % g.tiles * kBNTile, n = smaller(kBNTile, g.channels - channel);
    double* const dbeta = g.first(call, task) + channel;
    double* const dgamma = g.second(call, task) + channel;
    T center[kBNTile];
    for (int64_t i = 0, c = channel % s.c; i < n; i++, c = c + 1 == s.c ? 0 : c + 1) {
      center[i] = mean[c];
      dbeta[i] = dgamma[i] = 0;
    }
    const auto block = [&](int64_t row, int64_t rows, int64_t width) {
      const int64_t at = row * g.channels + channel;
      bn_block_sums<T, Relu>(dy + at, y + at, x + at, center, rows, g.channels, width, dbeta, dgamma);
    };
    for (int64_t row = g.begin(task); row < g.end(task); row += g.block_rows) block(row, smaller(g.block_rows, g.end(task) - row), n);
    if (g.last(task) && g.rest > 0) block(g.rows, 1, g.rest * s.c);
  });

  T* const dgamma = operand<T>(call, 5);
  T* const dbeta = operand<T>(call, 6);
  constexpr int64_t kStep = 64;
  parallel_ranges(pool, s.c, kStep, [&](int64_t begin, int64_t end) {
    double sum[kStep] = {}, product[kStep] = {};
    for (int64_t task = 0; task < g.tasks; task++) {
      for (int64_t c = begin; c < begin + g.fold * s.c; c += s.c) {
        for (int64_t i = 0; i < end - begin; i++) {
          sum[i] += g.first(call, task)[c + i];
          product[i] += g.second(call, task)[c + i];
        }
      }
    }
    for (int64_t i = 0; i < end - begin; i++) {
      dbeta[begin + i] = static_cast<T>(sum[i]);
      dgamma[begin + i] = static_cast<T>(product[i] * static_cast<double>(invstd[begin + i]));
    }
  });
}

template <typename T>
void bn_backward_stats_direct_requirements(const nct_shape* shape, nct_requirements* r) {
  r->workspace = BNReduction(*shape, lanes<T>, sizeof(T)).workspace();
}

template <typename T>
void bn_backward_stats_direct(const nct_call* call, nct_pool* pool) {
  call->flags& NCT_RELU ? bn_backward_stats<T, true>(call, pool) : bn_backward_stats<T, false>(call, pool);
}

template <typename T, bool Relu, bool Residual>
inline void bn_backward(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const T* const dy = operand<const T>(call, 0);
  const T* const y = Relu ? operand<const T>(call, 1) : dy;
  const T* const x = operand<const T>(call, 2);
  const T* const mean = operand<const T>(call, 3);
  const T* const invstd = operand<const T>(call, 4);
  const T* const gamma = operand<const T>(call, 5);
  const T* const dgamma = operand<const T>(call, 6);
  const T* const dbeta = operand<const T>(call, 7);
  T* const dx = operand<T>(call, 8);
  T* const dresidual = operand<T>(call, 9);
  const double share = 1 / static_cast<double>(s.n * s.h * s.w);
  const bool streams = Residual && streams_output(dresidual, s.n * s.h * s.w * s.c);
  bn_elementwise<T>(s, pool, [=](int64_t channel, int64_t n, auto each) {
    T center[kBNTile], slope[kBNTile], mean_gradient[kBNTile], scale[kBNTile];
    for (int64_t i = 0, c = channel % s.c; i < n; i++, c = c + 1 == s.c ? 0 : c + 1) {
      center[i] = mean[c];
      slope[i] = static_cast<T>(-static_cast<double>(invstd[c]) * static_cast<double>(dgamma[c]) * share);
      mean_gradient[i] = static_cast<T>(static_cast<double>(dbeta[c]) * share);
      scale[i] = gamma[c] * invstd[c];
    }
    each([&](int64_t at, int64_t i, auto part) {
      const Vector<T> g = bn_gradient<T, Relu>(dy + at, y + at, part);
      const Vector<T> centered = load_ahead(x + at, part) - load(center + i, part);
      store(dx + at, load(scale + i, part) * fma(centered, load(slope + i, part), g - load(mean_gradient + i, part)), part);
      if constexpr (Residual) put(dresidual + at, g, part, streams);
    });
    if (streams) stream_end();
  });
}

template <typename T>
void bn_backward_direct(const nct_call* call, nct_pool* pool) {
  const bool residual = call->operand[9] != nullptr, relu = (call->flags & NCT_RELU) != 0;
  if (relu)
    residual ? bn_backward<T, true, true>(call, pool) : bn_backward<T, true, false>(call, pool);
  else
    residual ? bn_backward<T, false, true>(call, pool) : bn_backward<T, false, false>(call, pool);
}

}  // namespace nct::NCT_ISA
#endif
