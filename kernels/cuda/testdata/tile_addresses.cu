// For the tests: where the convolutions' tiles lie, nothing of which is read.      Builds for: sm_75 and later.
#include "../conv_tile.cuh"

constexpr int kDepth = 32;

// addresses tells, of each chunk that the block's threads ask for, how many numbers after `operand` it lies, twice as many, and one more where it is inside:
// at [steps][passes][threads].
template <typename Source>
DEVICE void addresses(int64_t* at, const float* operand, Source source, int32_t steps) {
  for (int32_t step = 0; step < steps; step++)
    for (int pass = 0; pass < Source::kPasses; pass++, at += kTileThreads) {
      const Chunk chunk = source.next(pass);
      at[threadIdx.x] = 2 * (chunk.at - operand) + chunk.inside;
    }
}

// Of the tile of d from (m0, n0) on: a's and b's. first and end are the pixels that wgrad sums over.
#define TILE_FIELDS int64_t *at, const float *operand, int32_t m0, int32_t n0, int32_t first, int32_t end, int32_t steps, CONV_FIELDS
#define TILE_ADDRESSES(name, source)            \
  KERNEL name(TILE_FIELDS) {                    \
    const Conv conv = CONV_OF_FIELDS;           \
    (void)m0, (void)n0, (void)first, (void)end; \
    addresses(at, operand, source, steps);      \
  }                                             \
  EXPORT_KERNEL(name)

// The class of dx's pixels with even rows and columns.
DEVICE Parity even(const Conv& conv, int32_t taps, int32_t pixels) { return Parity(0, conv.stride, conv.pad, taps, pixels); }

TILE_ADDRESSES(tile_addresses_fprop_a, WindowRows<kDepth>(window_of_y(conv, operand), m0))
TILE_ADDRESSES(tile_addresses_fprop_b, FilterRows<kDepth>(conv, operand, n0))
TILE_ADDRESSES(tile_addresses_dgrad_a, WindowRows<kDepth>(window_of_dx(conv, operand, even(conv, R, H), even(conv, S, W)), m0))
TILE_ADDRESSES(tile_addresses_dgrad_b, FilterColumns<kDepth>(conv, operand, even(conv, R, H), even(conv, S, W), n0))
TILE_ADDRESSES(tile_addresses_wgrad_a, WindowColumns<kDepth>(window_of_y(conv, operand), m0, first, end))
TILE_ADDRESSES(tile_addresses_wgrad_b, PixelColumns<kDepth>(conv, operand, n0, first, end))
