// The product of conv_tile.cuh on the tensor cores: tiles by cp.async into a ring of stages, fragments from there into mma.sync, sums in float32.
//
// The tiles are float32, as what they come from, and their numbers are rounded on the way from shared memory to the matrix instruction: to tf32 to the
// nearest, ties away from zero, to bf16 to the nearest, ties to even. A step's k may be summed in any order, so long as it is the same in a and b: the bf16
// instruction takes for its 16 places of k those of two tf32 fragments of 8, as the lanes hold them, so that both precisions load alike.
//
// Shared memory is read and written without bank conflicts: of a tile with lines along k (128 bytes) the 16-byte chunk j of line i stands at j ^ i%8, so that
// ldmatrix finds eight lines of one j in eight different bank groups; of a tile with lines across k, from which a lane loads its numbers one by one, at
// j ^ 2*(i%4), so that a warp's 4 lines of 8 neighbours are 32 banks. cp.async writes whole lines either way.
#ifndef NCTRAIN_CONV_MMA_CUH
#define NCTRAIN_CONV_MMA_CUH
#include "conv_tile.cuh"

// A warp computes 64x32 of the block's tile, as 4x4 fragments of 16x8.
constexpr int kWarpM = 64, kWarpN = 32, kFragmentsM = kWarpM / 16, kFragmentsN = kWarpN / 8;
static_assert(kTileM / kWarpM * (kTileN / kWarpN) * 32 == kTileThreads, "a warp for each part of the tile");
static_assert(kWarpM % 32 == 0 && kWarpN % 32 == 0, "StagedTile's swaps stay inside of a warp's part");

// A lane's numbers of one k-fragment of 8, as mma.m16n8k8 wants them: with g = lane/4 and q = lane%4, of a (m,k) = (g,q), (g+8,q), (g,q+4), (g+8,q+4), of two
// fragments of b (n,k) = (g,q), (g,q+4), (g+8,q), (g+8,q+4).
struct Slice {
  float v[4];
};

struct Tf32 {
  static constexpr int kSlices = 1;  // of 8 along k in one instruction
  DEVICE static void round_a(uint32_t a[4], const Slice (&in)[1]) {
    for (int i = 0; i < 4; i++) a[i] = tf32_of(in[0].v[i]);
  }
  DEVICE static void round_b(uint32_t b[2], const Slice (&in)[1], int first) {
    for (int i = 0; i < 2; i++) b[i] = tf32_of(in[0].v[first + i]);
  }
  DEVICE static void multiply(float d[4], const uint32_t a[4], const uint32_t b[2]) { mma_tf32(d, a, b); }
};

struct Bf16 {
  static constexpr int kSlices = 2;
  DEVICE static void round_a(uint32_t a[4], const Slice (&in)[2]) {
    for (int i = 0; i < 4; i++) a[i] = bf16_pair(in[i / 2].v[i % 2], in[i / 2].v[i % 2 + 2]);
  }
  DEVICE static void round_b(uint32_t b[2], const Slice (&in)[2], int first) {
    for (int i = 0; i < 2; i++) b[i] = bf16_pair(in[i].v[first], in[i].v[first + 1]);
  }
  DEVICE static void multiply(float d[4], const uint32_t a[4], const uint32_t b[2]) { mma_bf16(d, a, b); }
};

// StagedTile is where a source's tile, and what a lane reads of it, lie in a stage.
template <typename Source>
class StagedTile {
  // The swap of chunks is the same for all of a thread's passes and for all of its fragments, so that two offsets are enough.
  static_assert(Source::kLinesAPass % (Source::kAlongK ? 8 : 4) == 0, "passes are whole periods of the swap apart");
  int32_t copied;  // the thread's first chunk
  int32_t read;    // the lane's first number, or its line of ldmatrix
  int32_t far_line, far_k;

  DEVICE static int32_t place(int32_t line, int32_t column) {
    const int32_t swap = Source::kAlongK ? line % 8 : line % 4 * 2;
    return line * Source::kLength + (column / 4 ^ swap) * 4 + column % 4;
  }

 public:
  static constexpr int kSize = Source::kPasses * Source::kLinesAPass * Source::kLength;

  // The lane's i-th number of a slice is 8 lines further where i has bit far_line, and 4 further along k where it has bit far_k (1 and 2 for a, 2 and 1 for b).
  // warp_line is the first m or n of the warp.
  DEVICE StagedTile(int32_t warp_line, int32_t far_line, int32_t far_k)
      : copied(place(Source::line(0), Source::column())), far_line(far_line), far_k(far_k) {
    const int32_t lane = static_cast<int32_t>(threadIdx.x) % 32, matrix = lane / 8;
    read =
        Source::kAlongK ? place(warp_line + lane % 8 + (matrix & far_line ? 8 : 0), matrix & far_k ? 4 : 0) : place(lane % 4, warp_line + lane / 4);
  }

  DEVICE void copy(float* tile, Source& source) const {
#pragma unroll
    for (int pass = 0; pass < Source::kPasses; pass++) {
      const Chunk from = source.next(pass);
      copy_async16(tile + copied + pass * Source::kLinesAPass * Source::kLength, from.at, from.inside ? 16 : 0);
    }
  }

  // What the lane holds of the warp's 16 lines (m or n) from `line` on and of the 8 places from k on, of the tile that starts at shared[tile]. These are whole
  // lines of the tile away from the lane's first number, which are added, and whole chunks of one 32 numbers, which are swapped with it: by exclusive or.
  DEVICE Slice slice(const float* shared, int32_t tile, int32_t line, int32_t k) const {
    const int32_t start = tile + read;
    Slice out;
    if (Source::kAlongK) {
      uint32_t bits[4];
      ldmatrix4(bits, shared + (start ^ k) + line * Source::kLength);
      for (int i = 0; i < 4; i++) out.v[i] = float_of(bits[i]);
    } else {
      for (int i = 0; i < 4; i++) {
        const int32_t across = line + (i & far_line ? 8 : 0), along = k + (i & far_k ? 4 : 0);
        out.v[i] = shared[(start ^ across % 32) + across / 32 * 32 + along * Source::kLength];
      }
    }
    return out;
  }
};

// The warp's fragments: of each a lane has, with g = lane/4 and q = lane%4, (g,2q), (g,2q+1), (g+8,2q), (g+8,2q+1).
struct MmaSums {
  using AlongN = Vector2;
  using AlongM = Single;
  float sum[kFragmentsM][kFragmentsN][4];
  static_assert(kFragmentsM * 2 == kOfThread && kFragmentsN * 2 == kOfThread, "a lane's rows and columns");

  DEVICE static int32_t lane() { return static_cast<int32_t>(threadIdx.x) % 32; }
  DEVICE static int32_t warp() { return static_cast<int32_t>(threadIdx.x) / 32; }
  DEVICE static int32_t warp_m() { return warp() % (kTileM / kWarpM) * kWarpM; }
  DEVICE static int32_t warp_n() { return warp() / (kTileM / kWarpM) * kWarpN; }

  DEVICE static int32_t slot() { return warp_m() / 8 + lane() / 4; }
  DEVICE static int32_t row_of(int32_t slot, int i) { return slot / 8 * kWarpM + slot % 8 + 8 * i; }
  DEVICE static int32_t row(int i) { return row_of(slot(), i); }
  DEVICE static int32_t column(int j) { return warp_n() + lane() % 4 * 2 + j / 2 * 8 + j % 2; }
  DEVICE float value(int i, int j) const { return sum[i / 2][j / 2][i % 2 * 2 + j % 2]; }
};

template <typename Precision>
struct Mma {
  static constexpr int kDepth = 32, kStages = 3;
  static constexpr int kSharedBytes = kStages * kDepth * (kTileM + kTileN) * 4;  // launches_conv.go has the same number
  template <typename A, typename B, typename Done>
  DEVICE static void run(A a, B b, int32_t steps, Done done);

  DEVICE static double* scratch() {
    DYNAMIC_SHARED(double, slots);
    static_assert(SlotPairs::kDoubles * 8 <= kSharedBytes, "the stages' memory");
    __syncthreads();  // nobody reads the last stages any more
    return slots;
  }
};

template <typename Precision>
template <typename A, typename B, typename Done>
DEVICE void Mma<Precision>::run(A a, B b, int32_t steps, Done done) {
  constexpr int kSizeA = StagedTile<A>::kSize, kStage = kSizeA + StagedTile<B>::kSize, kSlices = Precision::kSlices;
  static_assert(kStages * kStage * 4 == kSharedBytes, "the stages are what the launch asks for");
  DYNAMIC_SHARED(float, stages);
  const StagedTile<A> tile_a(MmaSums::warp_m(), 1, 2);
  const StagedTile<B> tile_b(MmaSums::warp_n(), 2, 1);

  // A group of copies is committed each time, an empty one past the last step, so that the groups waited for are always as many.
  const auto copy = [&](int32_t step) {
    if (step < steps) {
      float* const stage = stages + step % kStages * kStage;
      tile_a.copy(stage, a);
      tile_b.copy(stage + kSizeA, b);
    }
    copy_async_commit();
  };
  for (int32_t step = 0; step < kStages - 1; step++) copy(step);

  MmaSums sums = {};
  for (int32_t step = 0; step < steps; step++) {
    copy_async_wait<kStages - 2>();
    __syncthreads();  // this step's tiles are whole, and nobody reads the last step's any more, which the next copies overwrite
    copy(step + kStages - 1);
    const int32_t stage = step % kStages * kStage;
#pragma unroll
    for (int k = 0; k < kDepth; k += 8 * kSlices) {
      uint32_t fragment_b[kFragmentsN][2];
#pragma unroll
      for (int j = 0; j < kFragmentsN; j += 2) {
        Slice in[kSlices];
        for (int i = 0; i < kSlices; i++) in[i] = tile_b.slice(stages, stage + kSizeA, 8 * j, k + 8 * i);
        Precision::round_b(fragment_b[j], in, 0);
        Precision::round_b(fragment_b[j + 1], in, 2);
      }
#pragma unroll
      for (int i = 0; i < kFragmentsM; i++) {
        Slice in[kSlices];
        for (int l = 0; l < kSlices; l++) in[l] = tile_a.slice(stages, stage, 16 * i, k + 8 * l);
        uint32_t fragment_a[4];
        Precision::round_a(fragment_a, in);
#pragma unroll
        for (int j = 0; j < kFragmentsN; j++) Precision::multiply(sums.sum[i][j], fragment_a, fragment_b[j]);
      }
    }
  }
  done(sums);
}

#endif
