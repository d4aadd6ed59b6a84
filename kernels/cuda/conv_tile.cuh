// A convolution as a matrix product, d[m,n] = sum_k a[m,k] * b[k,n], whose matrix of windows is never in memory: each operand is a source that says where
// the next four numbers of a tile are.
//
//          m               n   k               a                     b
// fprop    pixel of y      K   r, s, c         x in the window       w
// dgrad    pixel of dx     C   r, s, k         dy in the window      w
// wgrad    r, s, c         K   pixel of y      x in the window       dy
//
// Of a strided dgrad each parity class (h % stride, w % stride) of dx's pixels is a product of its own, which has only the taps that meet it.
//
// A block computes kTileM x kTileN elements of d, in steps of some depth along k. A tile of an operand is a number of lines of neighbours in memory: along k
// (kAlongK: a line is an m or an n) or across (a line is a k). Sources and what conv_tiled.cuh and conv_mma.cuh make of them fit together by that.
#ifndef NCTRAIN_CONV_TILE_CUH
#define NCTRAIN_CONV_TILE_CUH
#include "conv_output.cuh"

constexpr int kMaxTaps = 16;  // of R*S

DEVICE int32_t at_least_one(int32_t n) { return n > 1 ? n : 1; }

// Chunk is four numbers of an operand: those at `at` where that is inside, else zeros. Where it lies is counted from the operand's first number on, modulo 2^32: inside
// that is less than 2^31, but what leads there may pass it, and so may what lies outside (the lines and taps after the last).
struct Chunk {
  const float* at;
  bool inside;

  DEVICE Chunk(const float* operand, uint32_t offset, bool inside) : at(operand + static_cast<int32_t>(offset)), inside(inside) {}
};

// How the block's threads share a tile of lines: in each pass a thread has 16 bytes of a line. Sources are asked for their chunks pass after pass, tile after tile.
template <int Lines, int Length>
struct Share {
  static constexpr int kLength = Length, kChunks = Length / 4, kLinesAPass = kTileThreads / kChunks, kPasses = Lines / kLinesAPass;
  static_assert(kTileThreads % kChunks == 0 && Lines % kLinesAPass == 0, "every thread has the same number of chunks");

  DEVICE static int32_t line(int pass) { return static_cast<int32_t>(threadIdx.x) / kChunks + pass * kLinesAPass; }
  DEVICE static int32_t column() { return static_cast<int32_t>(threadIdx.x) % kChunks * 4; }
};

// Window is how the pixels of a grid [N,rows,columns] see an image [N,height,width,channels]: pixel (y, x) sees through tap (r, s) the image's pixel
// (y*stride + top + r*direction, x*stride + left + s*direction), or zeros outside of it.
struct Window {
  const float* image;
  int32_t height, width, channels;
  int32_t N, rows, columns;
  int32_t R, S, stride, top, left, direction;

  DEVICE int32_t pixels() const { return N * rows * columns; }
  DEVICE int32_t taps_and_channels() const { return R * S * channels; }
  DEVICE uint32_t offset(uint32_t n, int32_t row, int32_t column) const { return ((n * height + row) * width + column) * channels; }
  DEVICE bool inside(int32_t row, int32_t column) const { return Conv::within(row, height) && Conv::within(column, width); }
};

// What y's pixels see of x.
DEVICE Window window_of_y(const Conv& conv, const float* x) {
  return {x, conv.H, conv.W, conv.C, conv.N, conv.P, conv.Q, conv.R, conv.S, conv.stride, -conv.pad, -conv.pad, 1};
}

// What the pixels of a class of dx see of dy.
DEVICE Window window_of_dx(const Conv& conv, const float* dy, const Parity& rows, const Parity& columns) {
  return {dy, conv.P, conv.Q, conv.K, conv.N, rows.pixels, columns.pixels, rows.taps, columns.taps, 1, rows.start, columns.start, -1};
}

// ---- sources

// WindowRows: a of fprop and dgrad: a line is a pixel of the window's grid, along it go taps and channels.
template <int Depth>
struct WindowRows : Share<kTileM, Depth> {
  using Tile = Share<kTileM, Depth>;
  static constexpr bool kAlongK = true;

  const float* image;
  Radix radix;
  Digits tap, step;
  uint32_t width, right;                   // pixels of an image's row; from tap to tap along it
  int32_t S;                               // taps of a row
  uint32_t offset[Tile::kPasses];          // of each line's tap (0, 0)
  uint32_t seen[(Tile::kPasses + 1) / 2];  // bit r*S+s: the tap is inside of the image, of an odd pass in the upper half

  DEVICE WindowRows(const Window& window, int32_t m0)
      : image(window.image),
        radix{at_least_one(window.S), window.channels},
        tap(radix.digits(Tile::column())),
        step(radix.digits(Depth)),
        width(window.width),
        right(window.direction * window.channels),
        S(window.S) {
    const Radix grid = {window.rows, window.columns};
    const Digits lines = grid.digits(Tile::kLinesAPass);
    Digits at = grid.digits(m0 + Tile::line(0));
#pragma unroll
    for (int pass = 0; pass < Tile::kPasses; pass++, grid.add(at, lines)) {
      const int32_t row = at.middle * window.stride + window.top, column = at.low * window.stride + window.left;
      uint32_t seen_of_row = 0, seen_of_line = 0;
#pragma unroll 1
      for (int32_t s = 0; s < window.S; s++) seen_of_row |= static_cast<uint32_t>(Conv::within(column + s * window.direction, window.width)) << s;
#pragma unroll 1
      for (int32_t r = 0; r < window.R; r++)
        if (Conv::within(row + r * window.direction, window.height)) seen_of_line |= seen_of_row << r * window.S;
      if (at.high >= window.N) seen_of_line = 0;
      offset[pass] = window.offset(at.high, row, column);
      seen[pass / 2] = pass % 2 == 0 ? seen_of_line : seen[pass / 2] | seen_of_line << kMaxTaps;
    }
  }

  // The last step's tile may reach past the last tap, where no bit is set, but not past kMaxTaps, which are whole steps.
  DEVICE Chunk next(int pass) {
    static_assert(kMaxTaps * 4 % Depth == 0, "channels are multiples of 4");
    const bool inside = seen[pass / 2] >> pass % 2 * kMaxTaps & 1u << (tap.high * S + tap.middle);
    const Chunk out(image, offset[pass] + (tap.high * width + tap.middle) * right + tap.low, inside);
    if (pass == Tile::kPasses - 1) radix.add(tap, step);
    return out;
  }
};

// WindowColumns: a of wgrad: a line is a pixel of the window's grid, across it go taps and channels.
template <int Depth>
struct WindowColumns : Share<Depth, kTileM> {
  using Tile = Share<Depth, kTileM>;
  static constexpr bool kAlongK = false;

  Window window;
  Radix radix;
  Digits at, step;
  int32_t down, right, channel, left;  // the thread's tap and channel; how many pixels are left

  DEVICE WindowColumns(const Window& window, int32_t m0, int32_t first, int32_t end)
      : window(window), radix{window.rows, window.columns}, at(radix.digits(first + Tile::line(0))), step(radix.digits(Tile::kLinesAPass)) {
    const int32_t m = m0 + Tile::column();
    const Digits tap = Radix{window.S, window.channels}.digits(m);
    down = window.top + tap.high * window.direction;
    right = window.left + tap.middle * window.direction;
    channel = tap.low;
    left = m < window.taps_and_channels() ? end - first - Tile::line(0) : 0;
  }

  DEVICE Chunk next(int) {
    const int32_t row = at.middle * window.stride + down, column = at.low * window.stride + right;
    const Chunk out(window.image, window.offset(at.high, row, column) + channel, left > 0 && window.inside(row, column));
    radix.add(at, step);
    left -= Tile::kLinesAPass;
    return out;
  }
};

// FilterRows: b of fprop: a line is a filter w[k], along it go taps and channels.
template <int Depth>
struct FilterRows : Share<kTileN, Depth> {
  using Tile = Share<kTileN, Depth>;
  static constexpr bool kAlongK = true;

  const float* w;
  uint32_t first;                  // where the thread's first line starts
  int32_t along, length, filters;  // how many filters there are from it on

  DEVICE FilterRows(const Conv& conv, const float* w, int32_t n0)
      : w(w),
        first(static_cast<uint32_t>(n0 + Tile::line(0)) * conv.window()),
        along(Tile::column()),
        length(conv.window()),
        filters(conv.K - n0 - Tile::line(0)) {}

  DEVICE Chunk next(int pass) {
    const int32_t line = pass * Tile::kLinesAPass;
    const Chunk out(w, first + static_cast<uint32_t>(line) * length + along, line < filters && along < length);
    if (pass == Tile::kPasses - 1) along += Depth;
    return out;
  }
};

// FilterColumns: b of dgrad: a line is a tap of the class and an output channel, across it go the input's channels.
template <int Depth>
struct FilterColumns : Share<Depth, kTileN> {
  using Tile = Share<Depth, kTileN>;
  static constexpr bool kAlongK = false;

  const float* w;
  Radix radix;
  Digits at, step;
  uint32_t S, right, filter, first;  // taps of a row; in w: from tap to tap of the class along it, from filter to filter, and to the first tap
  int32_t taps;

  DEVICE FilterColumns(const Conv& conv, const float* w, const Parity& rows, const Parity& columns, int32_t n0)
      : w(w),
        radix{at_least_one(columns.taps), conv.K},
        at(radix.digits(Tile::line(0))),
        step(radix.digits(Tile::kLinesAPass)),
        S(conv.S),
        right(conv.stride * conv.C),
        filter(conv.window()),
        first((rows.first * conv.S + columns.first) * conv.C + n0 + Tile::column()),
        taps(n0 + Tile::column() < conv.C ? rows.taps : 0) {}

  DEVICE Chunk next(int) {
    const Chunk out(w, first + (at.high * S + at.middle) * right + at.low * filter, at.high < taps);
    radix.add(at, step);
    return out;
  }
};

// PixelColumns: b of wgrad: a line is a pixel of dy, across it go its channels.
template <int Depth>
struct PixelColumns : Share<Depth, kTileN> {
  using Tile = Share<Depth, kTileN>;
  static constexpr bool kAlongK = false;

  const float* dy;
  uint32_t offset, step;
  int32_t left;  // how many pixels are left

  DEVICE PixelColumns(const Conv& conv, const float* dy, int32_t n0, int32_t first, int32_t end)
      : dy(dy),
        offset(static_cast<uint32_t>(first + Tile::line(0)) * conv.K + n0 + Tile::column()),
        step(Tile::kLinesAPass * conv.K),
        left(n0 + Tile::column() < conv.K ? end - first - Tile::line(0) : 0) {}

  DEVICE Chunk next(int) {
    const Chunk out(dy, offset, left > 0);
    offset += step;
    left -= Tile::kLinesAPass;
    return out;
  }
};

// ---- the convolutions, by a Product: Product::run(a, b, steps, done) computes the block's tile, `steps` times Product::kDepth along k, and calls done with the
// thread's Sums (conv_output.cuh). Product::scratch() is shared memory for what done does, once all threads are there.

DEVICE int32_t block_m0() { return static_cast<int32_t>(blockIdx.x) * kTileM; }
DEVICE int32_t block_n0() { return static_cast<int32_t>(blockIdx.y) * kTileN; }

template <typename Product, typename Done>
DEVICE void fprop_tile(const float* x, const float* w, const Conv& conv, Done done) {
  constexpr int kDepth = Product::kDepth;
  Product::run(WindowRows<kDepth>(window_of_y(conv, x), block_m0()), FilterRows<kDepth>(conv, w, block_n0()), ceil_div(conv.window(), kDepth), done);
}

template <typename Product, typename Finish>
DEVICE void fprop(float* y, const float* x, const float* w, const Conv& conv, Finish finish) {
  fprop_tile<Product>(x, w, conv, [&](const auto& sums) { store(PixelsOfY<Finish>{y, conv, finish}, sums, block_m0(), block_n0()); });
}

template <typename Product>
DEVICE void fprop_stats(double* partial, float* y, const float* x, const float* w, const Conv& conv) {
  fprop_tile<Product>(x, w, conv, [&](const auto& sums) {
    store(PixelsOfY<Stored>{y, conv, {}}, sums, block_m0(), block_n0());
    store_tile_moments(sums, {Product::scratch()}, {partial, conv.K}, conv.pixels() - block_m0(), block_n0());
  });
}

template <typename Product, typename Finish>
DEVICE void dgrad(float* dx, const float* dy, const float* w, const Conv& conv, Finish finish) {
  constexpr int kDepth = Product::kDepth;
  const int32_t parity = static_cast<int32_t>(blockIdx.z), m0 = block_m0(), n0 = block_n0();
  const Parity rows(parity / conv.stride, conv.stride, conv.pad, conv.R, conv.H),
      columns(parity % conv.stride, conv.stride, conv.pad, conv.S, conv.W);
  const Window window = window_of_dx(conv, dy, rows, columns);
  if (m0 >= window.pixels() || (Finish::kKeepsUnreached && window.taps_and_channels() == 0)) return;
  Product::run(WindowRows<kDepth>(window, m0), FilterColumns<kDepth>(conv, w, rows, columns, n0), ceil_div(window.taps_and_channels(), kDepth),
               [&](const auto& sums) {
                 store(PixelsOfDx<Finish>{dx, conv, rows, columns, finish}, sums, m0, n0);
               });
}

template <typename Product>
DEVICE void wgrad(float* sums, const float* x, const float* dy, int32_t part, const Conv& conv) {
  constexpr int kDepth = Product::kDepth;
  const int32_t m0 = block_m0(), n0 = block_n0();
  const Part pixels(conv, part);
  Product::run(WindowColumns<kDepth>(window_of_y(conv, x), m0, pixels.first, pixels.end),
               PixelColumns<kDepth>(conv, dy, n0, pixels.first, pixels.end), ceil_div(pixels.end - pixels.first, kDepth), [&](const auto& of_thread) {
                 store(Filters{Part::of(sums, conv), conv}, of_thread, m0, n0);
               });
}

#endif
