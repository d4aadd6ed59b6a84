// Winograd's F(4,3): four outputs of a three-tap filter from six products, in one dimension (nested twice: 36 for 4x4 outputs of 3x3, not 144).
//
//   y = A^T [ (G g) * (B^T d) ],     d: 6 inputs, g: 3 filter taps, y_i = sum_j g_j d_{i+j}, * element by element
//
// Derivation (Toom-Cook, transposed). A^T and G evaluate polynomials of degree 3 and 2 at six points, so their products are the values of the product
// polynomial, which six points determine; B^T is the transpose of the interpolation. Points: 0, +-a, +-b, infinity. Row "x" of G is (1, x, x^2) / N_x
// with N_x = product of (x - z) over the other finite points z; column "x" of A^T is (1, x, x^2, x^3); row "x" of B^T holds the coefficients of
// N(z) / (z - x), N(z) = z (z^2 - a^2) (z^2 - b^2), and its last row those of N.
//
// a^2 = 1/2, b^2 = 2: then a^2 b^2 = 1, no row is large, and the error is half of that of +-1, +-2 (worst case 69 against 256 times direct's).
// Sources: Winograd, "Arithmetic complexity of computations" (1980); Lavin and Gray, arXiv:1509.09308; the choice of points: Barabasz et al.,
// "Error analysis and improving the accuracy of Winograd convolution for deep neural networks", ACM TOMS 46 (2020).
//
// Each transform below is a function of vectors (or of a scalar), with what it shares computed once; at the end of this file the compiler itself checks
// them (winograd_proof.hpp).
//
// Error. To first order |error| <= sum over the six products of |A^T| (|G| |g|) (|B^T| |d|) times the roundings on the way. For inputs of one magnitude
// that is so many times direct's own sum of |x w|: fprop and dgrad: max_i (sum_k |A_ki| sum_j |G_kj| sum_l |B_lk|)^2 / 9 = 68.9;
// wgrad, whose sum has 16 products a tile: max_j (sum_k |G_kj| sum_l |B_lk| sum_i |A_ki|)^2 / 16 = 59.1. An output's error also depends on those inputs
// of its tile which it does not read, so a bound takes the largest |x| and |w| (or |dy|), not the output's own products:
//   |error| <= (C + 30) * eps * 68.9 * 9*C * max|x| max|w|,     wgrad: (tiles + 30) * eps * 59.1 * 16*tiles * max|x| max|dy|
// (30: the roundings of the three transforms, each at most 5 a dimension). Root mean square on normal random data, as a multiple of im2col's: fprop
// and dgrad 2.2 to 2.6, wgrad 3.7.
#ifndef NCT_WINOGRAD_F43_HPP
#define NCT_WINOGRAD_F43_HPP
#include "winograd_proof.hpp"

namespace nct::NCT_ISA {

template <typename T>
struct F43 {
  static constexpr double a = 0.70710678118654752440, b = 1.41421356237309504880;
  static constexpr T a1 = T(a), a2 = T(a * a), a3 = T(a * a * a), b1 = T(b), b2 = T(b * b), b3 = T(b * b * b);
  static constexpr T s = T(a * a + b * b), p = T(a * a * b * b);  // N(z) = z^5 - s z^3 + p z
  static constexpr T at_0 = T(1 / (a * a * b * b));               // 1/N_0, 1/N_a = 1/N_-a, 1/N_b = 1/N_-b
  static constexpr T at_a = T(1 / (2 * a * a * (a * a - b * b))), at_b = T(1 / (2 * b * b * (b * b - a * a)));
};

// WinogradF43 is fprop, dgrad (with the filter turned) and, with the transposed transforms, wgrad (conv_winograd.hpp says what each member is).
struct WinogradF43 {
  static constexpr int kInputs = 6, kFirstInput = -1, kInputStep = 4, kProducts = 6, kOutputs = 4, kFilters = 6;
  // wgrad's groups of rows of products (conv_winograd_wgrad_ranges.hpp), each with all products of its weights.
  static constexpr int kGroups = 2, kGroupRows[] = {0, 3, 6};

  static constexpr int filter_of(int product) { return product; }
  static constexpr int tap(int output, int input) { return input - output; }

  // input: out = B^T d, 6 from 6.
  template <typename T, typename V>
  [[gnu::always_inline]] static constexpr inline void input(const V (&d)[6], V (&out)[6]) {
    typedef F43<T> f;
    const V even_a = d[4] - f::b2 * d[2], odd_a = f::a1 * (d[3] - f::b2 * d[1]);
    const V even_b = d[4] - f::a2 * d[2], odd_b = f::b1 * (d[3] - f::a2 * d[1]);
    out[0] = f::p * d[0] + (d[4] - f::s * d[2]);
    out[1] = even_a + odd_a;
    out[2] = even_a - odd_a;
    out[3] = even_b + odd_b;
    out[4] = even_b - odd_b;
    out[5] = f::p * d[1] + (d[5] - f::s * d[3]);
  }
  // filter: out = G g, 6 from 3.
  template <typename T, typename V>
  [[gnu::always_inline]] static constexpr inline void filter(const V (&g)[3], V (&out)[6]) {
    typedef F43<T> f;
    const V even_a = f::at_a * (g[0] + f::a2 * g[2]), even_b = f::at_b * (g[0] + f::b2 * g[2]);
    const V odd_a = f::at_a * f::a1 * g[1], odd_b = f::at_b * f::b1 * g[1];
    out[0] = f::at_0 * g[0];
    out[1] = even_a + odd_a;
    out[2] = even_a - odd_a;
    out[3] = even_b + odd_b;
    out[4] = even_b - odd_b;
    out[5] = g[2];
  }
  // output: y = A^T m, 4 from 6.
  template <typename T, typename V>
  [[gnu::always_inline]] static constexpr inline void output(const V (&m)[6], V (&y)[4]) {
    typedef F43<T> f;
    const V even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = m[0] + (even_a + even_b);
    y[1] = f::a1 * odd_a + f::b1 * odd_b;
    y[2] = f::a2 * even_a + f::b2 * even_b;
    y[3] = f::a3 * odd_a + (f::b3 * odd_b + m[5]);
  }
  // output_transposed: m = A y, 6 from 4: the gradient of output.
  template <typename T, typename V>
  [[gnu::always_inline]] static constexpr inline void output_transposed(const V (&y)[4], V (&m)[6]) {
    typedef F43<T> f;
    const V even_a = y[0] + f::a2 * y[2], odd_a = f::a1 * y[1] + f::a3 * y[3];
    const V even_b = y[0] + f::b2 * y[2], odd_b = f::b1 * y[1] + f::b3 * y[3];
    m[0] = y[0];
    m[1] = even_a + odd_a;
    m[2] = even_a - odd_a;
    m[3] = even_b + odd_b;
    m[4] = even_b - odd_b;
    m[5] = y[3];
  }
  // filter_transposed: g = G^T u, 3 from 6: the gradient of filter.
  template <typename T, typename V>
  [[gnu::always_inline]] static constexpr inline void filter_transposed(const V (&u)[6], V (&g)[3]) {
    typedef F43<T> f;
    const V even_a = f::at_a * (u[1] + u[2]), odd_a = f::at_a * (u[1] - u[2]), even_b = f::at_b * (u[3] + u[4]), odd_b = f::at_b * (u[3] - u[4]);
    g[0] = f::at_0 * u[0] + (even_a + even_b);
    g[1] = f::a1 * odd_a + f::b1 * odd_b;
    g[2] = f::a2 * even_a + (f::b2 * even_b + u[5]);
  }
};

static_assert(winograd_convolves<WinogradF43>(), "A^T [(G g) * (B^T d)] is the convolution");
static_assert(winograd_transposes<WinogradF43>(), "the transposed transforms are the transposes");
static_assert(WinogradError<WinogradF43>().convolution() > 68.8 && WinogradError<WinogradF43>().convolution() < 68.9, "the bound above");
static_assert(WinogradError<WinogradF43>().gradient() > 59.0 && WinogradError<WinogradF43>().gradient() < 59.1, "the bound above");

}  // namespace nct::NCT_ISA
#endif
