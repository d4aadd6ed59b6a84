// What the compiler itself checks of a Winograd algorithm A (winograd_f43.hpp, winograd_f42.hpp): the transforms, run on unit vectors, are together the
// convolution, each transposed one is the other's transpose, and how much rounding errors grow at worst.
//
// A gives for one dimension kInputs, kProducts, kOutputs and kFilters (transformed weights), filter_of(product): the transformed weight that a product
// is made with, and tap(output, input): which tap of the filter joins them, if it is one of 0, 1, 2.
#ifndef NCT_WINOGRAD_PROOF_HPP
#define NCT_WINOGRAD_PROOF_HPP
#include "vec.hpp"

namespace nct::NCT_ISA {

constexpr int kWinogradTaps = 3;

constexpr bool winograd_near(double x, double y) { return x - y < 1e-14 && y - x < 1e-14; }

// y_i = sum_j g_j d_l over the inputs l that tap j joins to i, for every pair of unit vectors g and d.
template <typename A>
constexpr bool winograd_convolves() {
  for (int j = 0; j < kWinogradTaps; j++)
    for (int l = 0; l < A::kInputs; l++) {
      double g[kWinogradTaps] = {}, d[A::kInputs] = {}, u[A::kFilters] = {}, m[A::kProducts] = {}, y[A::kOutputs] = {};
      g[j] = 1;
      d[l] = 1;
      A::template filter<double>(g, u);
      A::template input<double>(d, m);
      for (int k = 0; k < A::kProducts; k++) m[k] *= u[A::filter_of(k)];
      A::template output<double>(m, y);
      for (int i = 0; i < A::kOutputs; i++)
        if (!winograd_near(y[i], A::tap(i, l) == j ? 1 : 0)) return false;
    }
  return true;
}

template <typename A>
constexpr bool winograd_transposes() {
  for (int k = 0; k < A::kProducts; k++)
    for (int i = 0; i < A::kOutputs; i++) {
      double m[A::kProducts] = {}, y[A::kOutputs] = {}, unit[A::kOutputs] = {}, back[A::kProducts] = {};
      m[k] = 1;
      unit[i] = 1;
      A::template output<double>(m, y);
      A::template output_transposed<double>(unit, back);
      if (!winograd_near(y[i], back[k])) return false;
    }
  for (int k = 0; k < A::kFilters; k++)
    for (int j = 0; j < kWinogradTaps; j++) {
      double u[A::kFilters] = {}, g[kWinogradTaps] = {}, unit[kWinogradTaps] = {}, back[A::kFilters] = {};
      u[k] = 1;
      unit[j] = 1;
      A::template filter_transposed<double>(u, g);
      A::template filter<double>(unit, back);
      if (!winograd_near(g[j], back[k])) return false;
    }
  return true;
}

// WinogradError holds the transforms as matrices of magnitudes, and gives how many times direct's own sum of magnitudes an error can be (in two dimensions).
template <typename A>
struct WinogradError {
  double a[A::kProducts][A::kOutputs] = {}, g[A::kFilters][kWinogradTaps] = {};
  double a_sum[A::kProducts] = {}, g_sum[A::kFilters] = {}, b_sum[A::kProducts] = {};  // of a row

  constexpr WinogradError() {
    for (int k = 0; k < A::kProducts; k++) {
      double m[A::kProducts] = {}, y[A::kOutputs] = {};
      m[k] = 1;
      A::template output<double>(m, y);
      for (int i = 0; i < A::kOutputs; i++) a_sum[k] += a[k][i] = magnitude(y[i]);
    }
    for (int j = 0; j < kWinogradTaps; j++) {
      double filter[kWinogradTaps] = {}, u[A::kFilters] = {};
      filter[j] = 1;
      A::template filter<double>(filter, u);
      for (int k = 0; k < A::kFilters; k++) g_sum[k] += g[k][j] = magnitude(u[k]);
    }
    for (int l = 0; l < A::kInputs; l++) {
      double d[A::kInputs] = {}, v[A::kProducts] = {};
      d[l] = 1;
      A::template input<double>(d, v);
      for (int k = 0; k < A::kProducts; k++) b_sum[k] += magnitude(v[k]);
    }
  }

  // Of an output, over its 3x3 products.
  constexpr double convolution() const {
    double worst = 0;
    for (int i = 0; i < A::kOutputs; i++) {
      double sum = 0;
      for (int k = 0; k < A::kProducts; k++) sum += a[k][i] * g_sum[A::filter_of(k)] * b_sum[k];
      worst = sum > worst ? sum : worst;
    }
    return worst * worst / (kWinogradTaps * kWinogradTaps);
  }
  // Of a weight's gradient, over a tile's outputs.
  constexpr double gradient() const {
    double worst = 0;
    for (int j = 0; j < kWinogradTaps; j++) {
      double sum = 0;
      for (int k = 0; k < A::kProducts; k++) sum += g[A::filter_of(k)][j] * b_sum[k] * a_sum[k];
      worst = sum > worst ? sum : worst;
    }
    return worst * worst / (A::kOutputs * A::kOutputs);
  }

 private:
  static constexpr double magnitude(double x) { return x < 0 ? -x : x; }
};

}  // namespace nct::NCT_ISA
#endif
