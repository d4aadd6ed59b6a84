// Winograd's F(4,2) on the phases of a stride of 2: four outputs of a three-tap filter that moves by two inputs from nine products, in one dimension
// (nested twice: 81 for 4x4 outputs of 3x3, not 144).
//
//   y_i = g_0 d_{2i} + g_1 d_{2i+1} + g_2 d_{2i+2}
//
// The inputs that g_0 and g_2 meet have even places here, those of g_1 odd ones: two convolutions without a stride, of two taps and of one. The first is
// F(4,2), y = A^T [(G g) * (B^T d)] with five products; the second is four products as they stand, and all four have the same factor g_1. So 9x9 products
// of a tile have only 6x6 different transformed weights.
//
// The gradient of the inputs is the same two convolutions, once for each output: dx_{2i+1} = g_2 dy_i + g_0 dy_{i+1}, dx_{2i} = g_1 dy_i.
//
// Derivation as in winograd_f43.hpp, with the points +-a, +-b and infinity: N(z) = (z^2 - a^2)(z^2 - b^2), and the rows of -a and -b of B^T with the
// opposite sign, so that each pair has one N_x = 2a (a^2 - b^2). a = 1/2, b = 5/4: of the points tried they have the least rounding error (worst case 21
// times direct's; 0, +-1, 2, infinity 49; +-sqrt(1/2), +-sqrt(2), infinity 45).
// Error: as in winograd_f43.hpp, with 20.7 in the place of 68.9 and, for wgrad, 27.7 in that of 59.1.
#ifndef NCT_WINOGRAD_F42_HPP
#define NCT_WINOGRAD_F42_HPP
#include "winograd_proof.hpp"

namespace nct::NCT_ISA {

// The transforms of F(4,2) alone.
template <typename T>
struct F42 {
  static constexpr double a = 0.5, b = 1.25;
  static constexpr T a1 = T(a), a2 = T(a * a), a3 = T(a * a * a), b1 = T(b), b2 = T(b * b), b3 = T(b * b * b);
  static constexpr T s = T(a * a + b * b), p = T(a * a * b * b);  // N(z) = z^4 - s z^2 + p
  static constexpr T at_a = T(1 / (2 * a * (a * a - b * b))), at_b = T(1 / (2 * b * (b * b - a * a)));

  template <typename V>
  [[gnu::always_inline]] static constexpr inline void input(V d0, V d1, V d2, V d3, V d4, V (&out)[9]) {
    const V even_a = d3 - b2 * d1, odd_a = a1 * (d2 - b2 * d0);
    const V even_b = d3 - a2 * d1, odd_b = b1 * (d2 - a2 * d0);
    out[0] = odd_a + even_a;
    out[1] = odd_a - even_a;
    out[2] = odd_b + even_b;
    out[3] = odd_b - even_b;
    out[4] = p * d0 + (d4 - s * d2);
  }
  template <typename V>
  [[gnu::always_inline]] static constexpr inline void output(const V (&m)[9], V (&y)[4]) {
    const V even_a = m[0] + m[1], odd_a = m[0] - m[1], even_b = m[2] + m[3], odd_b = m[2] - m[3];
    y[0] = even_a + even_b;
    y[1] = a1 * odd_a + b1 * odd_b;
    y[2] = a2 * even_a + b2 * even_b;
    y[3] = a3 * odd_a + (b3 * odd_b + m[4]);
  }
};

// WinogradF42 is fprop, and with the transposed transforms wgrad (conv_winograd.hpp says what each member is).
struct WinogradF42 {
  static constexpr int kInputs = 9, kFirstInput = -1, kInputStep = 8, kProducts = 9, kOutputs = 4, kFilters = 6;
  // As in WinogradF43.
  static constexpr int kGroups = 3, kGroupRows[] = {0, 3, 5, 9};

  static constexpr int filter_of(int product) { return product < 5 ? product : 5; }
  static constexpr int tap(int output, int input) { return input - 2 * output; }

  template <typename T, typename V>
  [[gnu::always_inline]] static constexpr inline void input(const V (&d)[9], V (&out)[9]) {
    F42<T>::input(d[0], d[2], d[4], d[6], d[8], out);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) out[5 + i] = d[2 * i + 1];
  }
  template <typename T, typename V>
  [[gnu::always_inline]] static constexpr inline void filter(const V (&g)[3], V (&out)[6]) {
    typedef F42<T> f;
    const V even_a = f::at_a * g[0], odd_a = f::at_a * f::a1 * g[2], even_b = f::at_b * g[0], odd_b = f::at_b * f::b1 * g[2];
    out[0] = even_a + odd_a;
    out[1] = even_a - odd_a;
    out[2] = even_b + odd_b;
    out[3] = even_b - odd_b;
    out[4] = g[2];
    out[5] = g[1];
  }
  template <typename T, typename V>
  [[gnu::always_inline]] static constexpr inline void output(const V (&m)[9], V (&y)[4]) {
    F42<T>::output(m, y);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) y[i] += m[5 + i];
  }
  template <typename T, typename V>
  [[gnu::always_inline]] static constexpr inline void output_transposed(const V (&y)[4], V (&m)[9]) {
    typedef F42<T> f;
    const V even_a = y[0] + f::a2 * y[2], odd_a = f::a1 * y[1] + f::a3 * y[3];
    const V even_b = y[0] + f::b2 * y[2], odd_b = f::b1 * y[1] + f::b3 * y[3];
    m[0] = even_a + odd_a;
    m[1] = even_a - odd_a;
    m[2] = even_b + odd_b;
    m[3] = even_b - odd_b;
    m[4] = y[3];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) m[5 + i] = y[i];
  }
  template <typename T, typename V>
  [[gnu::always_inline]] static constexpr inline void filter_transposed(const V (&u)[6], V (&g)[3]) {
    typedef F42<T> f;
    g[0] = f::at_a * (u[0] + u[1]) + f::at_b * (u[2] + u[3]);
    g[1] = u[5];
    g[2] = f::at_a * f::a1 * (u[0] - u[1]) + (f::at_b * f::b1 * (u[2] - u[3]) + u[4]);
  }
};

// WinogradF42Dgrad is dgrad: 8 outputs from 5 inputs. The filter is turned, as every dgrad's.
struct WinogradF42Dgrad {
  static constexpr int kInputs = 5, kFirstInput = 0, kInputStep = 4, kProducts = 9, kOutputs = 8, kFilters = 6;

  static constexpr int filter_of(int product) { return WinogradF42::filter_of(product); }
  static constexpr int tap(int output, int input) { return 1 - output + 2 * input; }

  template <typename T, typename V>
  [[gnu::always_inline]] static constexpr inline void input(const V (&d)[5], V (&out)[9]) {
    F42<T>::input(d[0], d[1], d[2], d[3], d[4], out);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) out[5 + i] = d[i];
  }
  template <typename T, typename V>
  [[gnu::always_inline]] static constexpr inline void filter(const V (&g)[3], V (&out)[6]) {
    WinogradF42::filter<T>(g, out);
  }
  template <typename T, typename V>
  [[gnu::always_inline]] static constexpr inline void output(const V (&m)[9], V (&y)[8]) {
    V odd[4];
    F42<T>::output(m, odd);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      y[2 * i] = m[5 + i];
      y[2 * i + 1] = odd[i];
    }
  }
};

static_assert(winograd_convolves<WinogradF42>() && winograd_convolves<WinogradF42Dgrad>(), "A^T [(G g) * (B^T d)] is the convolution");
static_assert(winograd_transposes<WinogradF42>(), "the transposed transforms are the transposes");
static_assert(WinogradError<WinogradF42>().convolution() > 20.6 && WinogradError<WinogradF42>().convolution() < 20.7, "the bound above");
static_assert(WinogradError<WinogradF42Dgrad>().convolution() < 20.7, "the bound above");
static_assert(WinogradError<WinogradF42>().gradient() > 27.6 && WinogradError<WinogradF42>().gradient() < 27.7, "the bound above");

}  // namespace nct::NCT_ISA
#endif
