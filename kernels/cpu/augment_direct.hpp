// augment: i = order[state[2]+n]; x[n,h,w,c] = lut[images[i,h,w,c]][c]; labels[n] = set_labels[i].   images [k,h,w,c] uint8, x [n,h,w,c], lut [256,c].
// Flag RANDOM_CROP_FLIP: the image is padded with zeros by `pad` on each side (zero before normalising: lut[0]), cropped to h x w at a random offset and
// mirrored left to right with p = 1/2. Random words: Philox-4x32-10, key = seed (state[4]), counter = (i, epoch (state[3]), 0, 0); the row offset is
// floor(word0 * (2*pad+1) / 2^32), the column offset the same of word 1, the flip word 2's lowest bit. So an image's crop depends on nothing but
// seed, epoch and its index in the set.
// Cost: one byte read and one T written an element.      Exact: no arithmetic.
#ifndef NCT_AUGMENT_DIRECT_HPP
#define NCT_AUGMENT_DIRECT_HPP
#include "parallel.hpp"

namespace nct::NCT_ISA {

struct PhiloxWords {
  uint32_t word[4];
};

// philox4x32 is Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3).
inline PhiloxWords philox4x32(uint64_t key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c0, p1 = uint64_t{0xCD9E8D57} * c2;
    const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0, n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return {{c0, c1, c2, c3}};
}

// Where a crop starts in the unpadded image (either may be negative), and whether it is mirrored.
struct Crop {
  int64_t top, left;
  bool flip;
};

inline Crop random_crop(const int64_t* state, int64_t image, int64_t pad) {
  const PhiloxWords random =
      philox4x32(static_cast<uint64_t>(state[NCT_STATE_SEED]), static_cast<uint32_t>(image), static_cast<uint32_t>(state[NCT_STATE_EPOCH]), 0, 0);
  const uint64_t offsets = static_cast<uint64_t>(2 * pad + 1);
  return {static_cast<int64_t>(random.word[0] * offsets >> 32) - pad, static_cast<int64_t>(random.word[1] * offsets >> 32) - pad,
          (random.word[2] & 1) != 0};
}

// augment_image writes one image; C > 0 fixes the number of channels at compile time, C = 0 reads it from the shape.
template <typename T, int C>
inline void augment_image(const nct_shape& s, const uint8_t* image, const T* lut, Crop crop, T* x) {
  const int64_t channels = C > 0 ? C : s.c;
  for (int64_t h = 0; h < s.h; h++) {
    const int64_t row = h + crop.top;
    const bool inside = row >= 0 && row < s.h;
    for (int64_t w = 0; w < s.w; w++, x += channels) {
      const int64_t column = (crop.flip ? s.w - 1 - w : w) + crop.left;
      if (inside && column >= 0 && column < s.w) {
        const uint8_t* const pixel = image + (row * s.w + column) * channels;
        for (int64_t c = 0; c < channels; c++) x[c] = lut[pixel[c] * channels + c];
      } else {
        for (int64_t c = 0; c < channels; c++) x[c] = lut[c];
      }
    }
  }
}

template <typename T>
void augment_direct(const nct_call* call, nct_pool* pool) {
  const nct_shape& s = call->shape;
  const uint8_t* const images = operand<const uint8_t>(call, 0);
  const int32_t* const set_labels = operand<const int32_t>(call, 1);
  const int64_t* const state = operand<const int64_t>(call, 3);
  const int32_t* const order = operand<const int32_t>(call, 2) + state[NCT_STATE_CURSOR];
  const T* const lut = operand<const T>(call, 4);
  T* const x = operand<T>(call, 5);
  int32_t* const labels = operand<int32_t>(call, 6);
  const int64_t size = s.h * s.w * s.c;
  const bool random = (call->flags & NCT_RANDOM_CROP_FLIP) != 0;
  parallel(pool, s.n, [=, &s](int64_t n, int) {
    const int64_t i = order[n];
    const Crop crop = random ? random_crop(state, i, s.pad) : Crop{0, 0, false};
    labels[n] = set_labels[i];
    if (s.c == 3)
      augment_image<T, 3>(s, images + i * size, lut, crop, x + n * size);
    else
      augment_image<T, 0>(s, images + i * size, lut, crop, x + n * size);
  });
}

}  // namespace nct::NCT_ISA
#endif
