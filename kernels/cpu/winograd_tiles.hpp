// The tiles of a Winograd convolution on NHWC images, and the transforms between images and products.
//
// A is the algorithm in one dimension (winograd_f43.hpp, winograd_f42.hpp): tile t makes outputs t*kOutputs ... of an image from kInputs inputs, the first of
// which is t*kInputStep + kFirstInput, through kProducts products. In two dimensions all are squared. Outputs beyond the edge are not stored, inputs beyond
// it are zeros. Transformed data are planes, one a product, each [tile][channel row]: plane i*kProducts+j holds product (i, j) of every tile.
// A channel row is rounded up to whole vectors. Planes are a cache line further apart than a power of two, and rows of more than kPlaneWidth channels can
// be cut into blocks, each [tile][kPlaneWidth]: what strides by a power of two uses few sets of the L1 cache.
#ifndef NCT_WINOGRAD_TILES_HPP
#define NCT_WINOGRAD_TILES_HPP
#include "epilogue.hpp"
#include "gemm.hpp"

namespace nct::NCT_ISA {

// One image's extent and channels.
struct ImageSize {
  int64_t h, w, channels;
};

// Tiles of `images` images of inputs `in` and outputs `out`.
struct TileGrid {
  int64_t images;
  ImageSize in, out;
  int64_t tiles_h, tiles_w;

  template <typename A>
  static TileGrid of(int64_t images, ImageSize in, ImageSize out) {
    return {images, in, out, ceil_div(out.h, A::kOutputs), ceil_div(out.w, A::kOutputs)};
  }
  int64_t tiles() const { return images * tiles_h * tiles_w; }
  int64_t image(int64_t tile) const { return tile / tiles_w / tiles_h; }
  int64_t row(int64_t tile) const { return tile / tiles_w % tiles_h; }
  int64_t column(int64_t tile) const { return tile % tiles_w; }
};

constexpr int64_t kPlaneWidth = 64;

// Planes of transformed data: `tiles` rows of `channels`. Products that sum over channels read whole rows; those that sum over tiles read blocks.
template <typename T>
struct Planes {
  T* data;
  int64_t channels;    // rounded up
  int64_t row, block;  // numbers from a tile to the next, from a block of channels to the next
  int64_t plane;       // from a product to the next

  enum Form { kRows, kBlocks };
  Planes(Carver& carver, int64_t planes, int64_t tiles, int64_t unrounded, Form form) : channels(round_up(unrounded, lanes<T>)) {
    row = form == kRows ? channels : smaller(channels, kPlaneWidth);
    block = form == kRows ? kPlaneWidth : tiles * kPlaneWidth;
    plane = round_up(tiles * (form == kRows ? channels : round_up(channels, row)), kLine<T>) + kLine<T>;
    data = carver.take<T>(planes * plane);
  }
  T* at(int64_t tile, int64_t channel) const { return data + channel / kPlaneWidth * block + tile * row + channel % kPlaneWidth; }
};

// tile_pixels: where the Size x Size pixels from (top, left) of an image lie; zeros stands for those beyond the edge.
template <int Size, typename T>
inline void tile_pixels(const ImageSize& size, const T* image, int64_t top, int64_t left, const T* zeros, const T* (&pixels)[Size * Size]) {
  for (int i = 0; i < Size; i++) {
    const int64_t y = top + i;
    const bool inside = y >= 0 && y < size.h;
    const T* const line = image + (inside ? y : 0) * size.w * size.channels;
    for (int j = 0; j < Size; j++) {
      const int64_t x = left + j;
      pixels[i * Size + j] = inside && x >= 0 && x < size.w ? line + x * size.channels : zeros;
    }
  }
}

// PixelRows are the pixels of tiles [first, last), `channels` channels of each, in the order of memory: what a block of tiles reads that no block before it
// read. A transform is bound by memory and a product by arithmetic: the next block's are asked for while this one multiplies.
template <typename T>
struct PixelRows {
  int64_t run, step;  // numbers that lie together, and from there to the next run
  const T *begin, *end;

  PixelRows(const TileGrid& g, const ImageSize& size, int64_t pixels, const T* images, int64_t channels, int64_t first, int64_t last) {
    const int64_t row = begin_row(g, size, pixels, first), count = (begin_row(g, size, pixels, last) - row) * size.w;
    const bool whole = channels == size.channels;
    run = whole ? count * channels : channels;
    step = whole ? run : size.channels;
    begin = images + row * size.w * size.channels;
    end = begin + count * size.channels;
  }
  // begin_row: the first row of pixels that no tile before `tile` reads, a row of all images. A tile also reads a row from the tiles below.
  static int64_t begin_row(const TileGrid& g, const ImageSize& size, int64_t pixels, int64_t tile) {
    const int64_t rows = ceil_div(tile, g.tiles_w), row = rows % g.tiles_h;
    return rows / g.tiles_h * size.h + (row > 0 ? smaller(size.h, row * pixels + 1) : 0);
  }
  int64_t lines() const { return run == 0 ? 0 : (end - begin) / step * ceil_div(run, kLine<T>); }
  Runs<T> runs() const {  // of kPlaneWidth float32 channels at most
    const int64_t apart = run == step ? Runs<T>::kLength : step;
    return {begin, apart, ceil_div(end - begin, apart)};
  }
};

// PixelsAhead asks for rows of pixels in so many calls, one before each register tile, to L1 (gemm.hpp says why).
template <typename T>
struct PixelsAhead {
  PixelRows<T> rows;
  const T *at, *run_end;
  int64_t lines;  // of a call

  PixelsAhead(const PixelRows<T>& rows, int64_t calls) : rows(rows), at(rows.begin), run_end(at + rows.run), lines(ceil_div(rows.lines(), calls)) {}
  void ask() {
    for (int64_t i = 0; i < lines && at < rows.end; i++) {
      __builtin_prefetch(at, 0, 3);
      asm volatile("");  // a loop without effects would be dropped
      at += kLine<T>;
      if (at >= run_end) {
        at = run_end - rows.run + rows.step;
        run_end += rows.step;
      }
    }
  }
};

// The integers first, first + 1, ..., end - 1.
template <int First, int End>
struct Interval {
  static constexpr int first = First, end = End, count = End - First;
};

// nest applies a transform of one dimension to the columns and then to the rows of a tile: out[i][j] from in(i, j), a load; of the Out rows those in Rows.
template <int In, int Out, typename V, typename Rows = Interval<0, Out>, typename In2D, typename Transform, typename Out2D>
[[gnu::always_inline]] inline void nest(In2D in, Transform transform, Out2D out) {
  V half[In][Out];  // [column][transformed row]
#pragma GCC unroll 9
  for (int j = 0; j < In; j++) {
    V d[In];
#pragma GCC unroll 9
    for (int i = 0; i < In; i++) d[i] = in(i, j);
    transform(d, half[j]);
  }
#pragma GCC unroll 9
  for (int i = Rows::first; i < Rows::end; i++) {
    V d[In], row[Out];
#pragma GCC unroll 9
    for (int j = 0; j < In; j++) d[j] = half[j][i];
    transform(d, row);
#pragma GCC unroll 9
    for (int j = 0; j < Out; j++) out(i, j, row[j]);
  }
}

// transform_input: planes row `row` = B^T d B of `channels` channels of tile `tile`, of the products of rows Rows alone: their planes from 0 on.
template <typename A, typename Rows = Interval<0, A::kProducts>, typename T>
inline void transform_input(const TileGrid& g, int64_t tile, const T* images, int64_t channels, const T* zeros, const Planes<T>& planes,
                            int64_t row) {
  typedef Vector<T> V;
  const T* pixels[A::kInputs * A::kInputs];
  tile_pixels<A::kInputs>(g.in, images + g.image(tile) * g.in.h * g.in.w * g.in.channels, g.row(tile) * A::kInputStep + A::kFirstInput,
                          g.column(tile) * A::kInputStep + A::kFirstInput, zeros, pixels);
  for_vectors<T>(
      channels, [&](int64_t c, auto part) __attribute__((always_inline)) {
        T* const to = planes.at(row, c);
        nest<A::kInputs, A::kProducts, V, Rows>(
            [&](int i, int j) __attribute__((always_inline)) { return load(pixels[i * A::kInputs + j] + c, part); },
            [](const V(&d)[A::kInputs], V(&v)[A::kProducts]) __attribute__((always_inline)) { A::template input<T>(d, v); },
            [&](int i, int j, V v) __attribute__((always_inline)) { store(to + ((i - Rows::first) * A::kProducts + j) * planes.plane, v); });
      });
}

// transform_output: tile `tile` of images = A^T m A, m from planes row `row`, each output through the epilogue.
template <typename A, typename T, typename Epilogue>
inline void transform_output(const TileGrid& g, int64_t tile, const Planes<T>& planes, int64_t row, T* images, const Epilogue& epilogue) {
  typedef Vector<T> V;
  const int64_t top = g.row(tile) * A::kOutputs, left = g.column(tile) * A::kOutputs;
  const int64_t rows = g.out.h - top, columns = g.out.w - left;
  T* const to = images + ((g.image(tile) * g.out.h + top) * g.out.w + left) * g.out.channels;
  for_vectors<T>(
      g.out.channels, [&](int64_t c, auto part) __attribute__((always_inline)) {
        const T* const from = planes.at(row, c);
        const auto finish = epilogue.at(c, part);
        nest<A::kProducts, A::kOutputs, V>(
            [&](int i, int j) __attribute__((always_inline)) { return load(from + (i * A::kProducts + j) * planes.plane, part); },
            [](const V(&m)[A::kProducts], V(&y)[A::kOutputs]) __attribute__((always_inline)) { A::template output<T>(m, y); },
            [&](int i, int j, V y) __attribute__((always_inline)) {
              T* const at = to + (i * g.out.w + j) * g.out.channels + c;
              if (i < rows && j < columns) put(at, finish(y, at, part), part, epilogue.streams);
            });
      });
}

// transform_output_gradient: as transform_input, A dy A^T of images of outputs; outputs beyond the edge have no gradient.
template <typename A, typename Rows = Interval<0, A::kProducts>, typename T>
inline void transform_output_gradient(const TileGrid& g, int64_t tile, const T* images, int64_t channels, const T* zeros, const Planes<T>& planes,
                                      int64_t row) {
  typedef Vector<T> V;
  const T* pixels[A::kOutputs * A::kOutputs];
  tile_pixels<A::kOutputs>(g.out, images + g.image(tile) * g.out.h * g.out.w * g.out.channels, g.row(tile) * A::kOutputs,
                           g.column(tile) * A::kOutputs, zeros, pixels);
  for_vectors<T>(
      channels, [&](int64_t c, auto part) __attribute__((always_inline)) {
        T* const to = planes.at(row, c);
        nest<A::kOutputs, A::kProducts, V, Rows>(
            [&](int i, int j) __attribute__((always_inline)) { return load(pixels[i * A::kOutputs + j] + c, part); },
            [](const V(&y)[A::kOutputs], V(&m)[A::kProducts]) __attribute__((always_inline)) { A::template output_transposed<T>(y, m); },
            [&](int i, int j, V m) __attribute__((always_inline)) { store(to + ((i - Rows::first) * A::kProducts + j) * planes.plane, m); });
      });
}

}  // namespace nct::NCT_ISA
#endif
