// The tiles of F(4x4, 3x3) on NHWC images, and the transforms between images and products.
//
// An image is cut into tiles of 4x4 outputs, the last of a row or column clipped; a tile reads 6x6 inputs, from one pixel above and left of its outputs
// (pad 1), zeros beyond the edge. Transformed data are kF43Products planes, each [tile][channel row]: plane i*6+j holds product (i, j) of every tile.
// A channel row is rounded up to whole vectors. Planes are a cache line further apart than a power of two, and rows of more than kPlaneWidth channels can
// be cut into blocks, each [tile][kPlaneWidth]: what strides by a power of two uses few sets of the L1 cache.
#ifndef NCT_WINOGRAD_F43_TILES_HPP
#define NCT_WINOGRAD_F43_TILES_HPP
#include "gemm.hpp"
#include "winograd_f43.hpp"

namespace nct::NCT_ISA {

struct TileGrid {
  int64_t images, h, w, tiles_h, tiles_w;

  explicit TileGrid(const nct_shape& s) : images(s.n), h(s.h), w(s.w), tiles_h(ceil_div(s.h, kF43Outputs)), tiles_w(ceil_div(s.w, kF43Outputs)) {}
  int64_t tiles() const { return images * tiles_h * tiles_w; }
};

// Where a tile's outputs lie, and how many of its rows and columns are inside the image.
struct TilePlace {
  int64_t image, top, left, rows, columns;

  TilePlace(const TileGrid& g, int64_t tile)
      : image(tile / g.tiles_w / g.tiles_h),
        top(tile / g.tiles_w % g.tiles_h * kF43Outputs),
        left(tile % g.tiles_w * kF43Outputs),
        rows(smaller(kF43Outputs, g.h - top)),
        columns(smaller(kF43Outputs, g.w - left)) {}
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
  Planes(Carver& carver, int64_t tiles, int64_t unrounded, Form form) : channels(round_up(unrounded, lanes<T>)) {
    row = form == kRows ? channels : smaller(channels, kPlaneWidth);
    block = form == kRows ? kPlaneWidth : tiles * kPlaneWidth;
    plane = round_up(tiles * (form == kRows ? channels : round_up(channels, row)), 64 / sizeof(T)) + 64 / sizeof(T);
    data = carver.take<T>(kF43Products * plane);
  }
  T* at(int64_t tile, int64_t channel) const { return data + channel / kPlaneWidth * block + tile * row + channel % kPlaneWidth; }
};

// tile_pixels: the 6x6 pixels that a tile reads; zeros stands for those beyond the edge.
template <typename T>
inline void tile_pixels(const TileGrid& g, int64_t tile, const T* images, int64_t channels, const T* zeros, const T* (&pixels)[kF43Products]) {
  const TilePlace place(g, tile);
  for (int i = 0; i < 6; i++) {
    const int64_t y = place.top - 1 + i;
    const bool inside = y >= 0 && y < g.h;
    const T* const line = images + (place.image * g.h + (inside ? y : 0)) * g.w * channels;
    for (int j = 0; j < 6; j++) {
      const int64_t x = place.left - 1 + j;
      pixels[i * 6 + j] = inside && x >= 0 && x < g.w ? line + x * channels : zeros;
    }
  }
}

// prefetch_tiles asks for the pixels of tiles [first, end) at the places of their outputs (tiles share the rest) to come to L2. A transform is bound by
// memory and a product by arithmetic: what the next block needs comes while this one multiplies.
template <typename T>
inline void prefetch_tiles(const TileGrid& g, int64_t first, int64_t end, const T* images, int64_t channels) {
  constexpr int64_t kLine = 64 / sizeof(T);
  for (int64_t tile = first; tile < end; tile++) {
    const TilePlace place(g, tile);
    for (int64_t i = 0; i < place.rows; i++) {
      const T* const line = images + ((place.image * g.h + place.top + i) * g.w + place.left) * channels;
      for (int64_t c = 0; c < place.columns * channels; c += kLine) {
        __builtin_prefetch(line + c, 0, 2);
        asm volatile("");  // a loop without effects would be dropped
      }
    }
  }
}

// transform_input: planes row `row` = B^T d B of tile `tile`.
template <typename T>
inline void transform_input(const TileGrid& g, int64_t tile, const T* images, int64_t channels, const T* zeros, const Planes<T>& planes,
                            int64_t row) {
  typedef Vector<T> V;
  const T* pixels[kF43Products];
  tile_pixels(g, tile, images, channels, zeros, pixels);
  for_vectors<T>(
      channels, [&](int64_t c, auto part) __attribute__((always_inline)) {
        T* const to = planes.at(row, c);
        V half[6][6];  // [column][product]
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++) {
          V d[6];
#pragma GCC unroll 6
          for (int i = 0; i < 6; i++) d[i] = load(pixels[i * 6 + j] + c, part);
          f43_input<T>(d, half[j]);
        }
#pragma GCC unroll 6
        for (int i = 0; i < 6; i++) {
          const V d[6] = {half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i]};
          V out[6];
          f43_input<T>(d, out);
#pragma GCC unroll 6
          for (int j = 0; j < 6; j++) store(to + (i * 6 + j) * planes.plane, out[j]);
        }
      });
}

// transform_output: tile `tile` of images = A^T m A, m from planes row `row`.
template <typename T>
inline void transform_output(const TileGrid& g, int64_t tile, const Planes<T>& planes, int64_t row, T* images, int64_t channels) {
  typedef Vector<T> V;
  const TilePlace place(g, tile);
  T* const to = images + ((place.image * g.h + place.top) * g.w + place.left) * channels;
  for_vectors<T>(
      channels, [&](int64_t c, auto part) __attribute__((always_inline)) {
        const T* const from = planes.at(row, c);
        V half[6][4];  // [column][output row]
#pragma GCC unroll 6
        for (int j = 0; j < 6; j++) {
          V m[6];
#pragma GCC unroll 6
          for (int i = 0; i < 6; i++) m[i] = load(from + (i * 6 + j) * planes.plane, part);
          f43_output<T>(m, half[j]);
        }
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
          const V m[6] = {half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i]};
          V y[4];
          f43_output<T>(m, y);
#pragma GCC unroll 4
          for (int j = 0; j < 4; j++)
            if (i < place.rows && j < place.columns) store(to + (i * g.w + j) * channels + c, y[j], part);
        }
      });
}

// transform_output_gradient: planes row `row` = A dy A^T of tile `tile`; outputs beyond the edge have no gradient.
template <typename T>
inline void transform_output_gradient(const TileGrid& g, int64_t tile, const T* images, int64_t channels, const T* zeros, const Planes<T>& planes,
                                      int64_t row) {
  typedef Vector<T> V;
  const TilePlace place(g, tile);
  const T* const from = images + ((place.image * g.h + place.top) * g.w + place.left) * channels;
  const T* pixels[16];
  for (int i = 0; i < 16; i++) pixels[i] = i / 4 < place.rows && i % 4 < place.columns ? from + (i / 4 * g.w + i % 4) * channels : zeros;
  for_vectors<T>(
      channels, [&](int64_t c, auto part) __attribute__((always_inline)) {
        T* const to = planes.at(row, c);
        V half[4][6];  // [column][product]
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++) {
          const V y[4] = {load(pixels[j] + c, part), load(pixels[4 + j] + c, part), load(pixels[8 + j] + c, part), load(pixels[12 + j] + c, part)};
          f43_output_transposed<T>(y, half[j]);
        }
#pragma GCC unroll 6
        for (int i = 0; i < 6; i++) {
          const V y[4] = {half[0][i], half[1][i], half[2][i], half[3][i]};
          V out[6];
          f43_output_transposed<T>(y, out);
#pragma GCC unroll 6
          for (int j = 0; j < 6; j++) store(to + (i * 6 + j) * planes.plane, out[j]);
        }
      });
}

}  // namespace nct::NCT_ISA
#endif
