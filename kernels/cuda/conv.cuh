// What all convolutions share: their geometry, and walks over pixels and taps.
//
// Names as in kernels/ops.go: x [N,H,W,C], w [K,R,S,C], y [N,P,Q,K]; y[n,p,q,k] = sum_{r,s,c} x[n, p*stride+r-pad, q*stride+s-pad, c] * w[k,r,s,c].
#ifndef NCTRAIN_CONV_CUH
#define NCTRAIN_CONV_CUH
#include "device.cuh"

struct Conv {
  int32_t N, H, W, C, K, R, S, stride, pad, P, Q;

  // Row and column of x that tap r, s of the output's row p and column q reads. Outside of the image there are zeros.
  DEVICE int32_t h(int32_t p, int32_t r) const { return p * stride + r - pad; }
  DEVICE int32_t w(int32_t q, int32_t s) const { return q * stride + s - pad; }
  DEVICE bool inside(int32_t h, int32_t w) const { return within(h, H) && within(w, W); }
  DEVICE static bool within(int32_t i, int32_t n) { return static_cast<uint32_t>(i) < static_cast<uint32_t>(n); }

  DEVICE int32_t pixels() const { return N * P * Q; }  // of y
  DEVICE int32_t taps() const { return R * S; }
  DEVICE int32_t window() const { return R * S * C; }  // products of an element of y
};

// A launch's arguments are numbers (launches_conv.go: geometry), so a kernel takes Conv's fields one by one.
#define CONV_FIELDS int32_t N, int32_t H, int32_t W, int32_t C, int32_t K, int32_t R, int32_t S, int32_t stride, int32_t pad, int32_t P, int32_t Q
#define CONV_OF_FIELDS \
  { N, H, W, C, K, R, S, stride, pad, P, Q }

// Digits are a number written as (high * middle radix + middle) * low radix + low: a pixel as image, row, column; a place in a window as r, s, c.
struct Digits {
  int32_t high, middle, low;
};
struct Radix {
  int32_t middle, low;

  // Unsigned, which divides in half the instructions.
  DEVICE Digits digits(int32_t number) const {
    const uint32_t n = static_cast<uint32_t>(number), l = static_cast<uint32_t>(low), m = static_cast<uint32_t>(middle), rest = n / l;
    return {static_cast<int32_t>(rest / m), static_cast<int32_t>(rest % m), static_cast<int32_t>(n % l)};
  }
  // add counts on without a division.
  DEVICE void add(Digits& d, const Digits& step) const {
    d.low += step.low;
    d.middle += step.middle;
    d.high += step.high;
    if (d.low >= low) d.low -= low, d.middle++;
    if (d.middle >= middle) d.middle -= middle, d.high++;
  }
};

DEVICE int32_t ceil_div(int32_t a, int32_t b) { return (a + b - 1) / b; }

// Parity is one axis of a class of dx's pixels, those with h % stride == rest: h = i*stride + rest meets taps first, first + stride, ... and through the
// j-th of these dy's pixel i + start - j.
struct Parity {
  int32_t rest, first, taps, start, pixels;

  DEVICE Parity(int32_t rest, int32_t stride, int32_t pad, int32_t taps_of_all, int32_t pixels_of_all)
      : rest(rest),
        first((rest + pad) % stride),
        taps(first < taps_of_all ? ceil_div(taps_of_all - first, stride) : 0),
        start((rest + pad - first) / stride),
        pixels(ceil_div(pixels_of_all - rest, stride)) {}
};

// Part is the block's share of the pixels that wgrad sums over, and where its sums go.
struct Part {
  int32_t first, end;

  DEVICE Part(const Conv& conv, int32_t pixels) : first(static_cast<int32_t>(blockIdx.z) * pixels), end(first + pixels) {
    if (end > conv.pixels()) end = conv.pixels();
  }
  DEVICE static float* of(float* sums, const Conv& conv) { return sums + static_cast<int64_t>(blockIdx.z) * conv.K * conv.window(); }
};

#endif
