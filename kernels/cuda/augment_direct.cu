// augment_direct: i = order[state[2]+n]; x[n,h,w,c] = lut[images[i,h,w,c]][c]; labels[n] = set_labels[i].
// images [k,h,w,c] uint8, set_labels [k] and order [k] int32, lut [256,c], x [n,h,w,c], labels [n] int32
// Flag RANDOM_CROP_FLIP: the image is padded with zeros by `pad` on each side (zero before normalising: lut[0]), cropped to h x w at a random offset and mirrored left to
// right with p = 1/2. Random words: Philox-4x32-10, key = seed (state[4]), counter = (i, epoch (state[3]), 0, 0); the row offset is floor(word0 * (2*pad+1) / 2^32),
// the column offset the same of word 1, the flip word 2's lowest bit.
// Grid:  one thread a pixel of the result; each computes its image's random words again, which is cheaper than sharing them.      Builds for: sm_75 and later.
// Cost:  one byte read and four written an element.      Exact: no arithmetic.
#include "device.cuh"

struct PhiloxWords {
  uint32_t word[4];
};

// Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3).
DEVICE PhiloxWords philox4x32(uint64_t key, uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; round++) {
    const uint32_t n0 = __umulhi(0xCD9E8D57u, c2) ^ c1 ^ k0, n2 = __umulhi(0xD2511F53u, c0) ^ c3 ^ k1;
    c1 = 0xCD9E8D57u * c2;
    c3 = 0xD2511F53u * c0;
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

KERNEL augment_direct(float* x, int32_t* labels, const uint8_t* images, const int32_t* set_labels, const int32_t* order, const int64_t* state,
                      const float* lut, int64_t n, int32_t height, int32_t width, int32_t c, int32_t pad, uint32_t flags) {
  const int64_t pixel = global_thread(), pixels = static_cast<int64_t>(height) * width;
  if (pixel >= n * pixels) return;
  const int64_t sample = pixel / pixels;
  const int32_t h = static_cast<int32_t>(pixel % pixels) / width, w = static_cast<int32_t>(pixel % pixels) % width;
  const int64_t i = order[state[STATE_CURSOR] + sample];
  if (h == 0 && w == 0) labels[sample] = set_labels[i];
  int32_t row = h, column = w;
  if (flags & FLAG_RANDOM_CROP_FLIP) {
    const PhiloxWords random =
        philox4x32(static_cast<uint64_t>(state[STATE_SEED]), static_cast<uint32_t>(i), static_cast<uint32_t>(state[STATE_EPOCH]), 0, 0);
    const uint32_t offsets = static_cast<uint32_t>(2 * pad + 1);
    row = h + static_cast<int32_t>(__umulhi(random.word[0], offsets)) - pad;
    column = ((random.word[2] & 1) != 0 ? width - 1 - w : w) + static_cast<int32_t>(__umulhi(random.word[1], offsets)) - pad;
  }
  const bool inside = row >= 0 && row < height && column >= 0 && column < width;
  const uint8_t* const from = images + ((i * height + row) * width + column) * c;
  for (int32_t k = 0; k < c; k++) x[pixel * c + k] = lut[(inside ? from[k] : 0) * c + k];
}
EXPORT_KERNEL(augment_direct)
