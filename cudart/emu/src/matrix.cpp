// The matrix instructions of a warp: ldmatrix and mma.sync. Fragment layouts are the PTX ISA's ("Matrix Fragments for mma.m16n8k16", "... mma.m16n8k8").
#include <string.h>

#include "../include/emu_device.h"
#include "emu.h"
#include "meeting.h"

using namespace emu;

#define PC __builtin_return_address(0)

constexpr unsigned all_lanes = 0xffffffffu;

struct Fragments {
  unsigned a[4], b[2];
};

// multiply gives the running lane its four sums. Lane l has g = l/4 and q = l%4; it holds d[g][2q], d[g][2q+1], d[g+8][2q], d[g+8][2q+1].
// a_at and b_at fetch an element out of what the 32 lanes gave.
template <typename A, typename B>
static void multiply(float d[4], const Fragments& mine, int depth, const void* pc, A a_at, B b_at) {
  const Table lanes = exchange_table(all_lanes, &mine, sizeof mine, pc);
  const int lane = static_cast<int>(block->running->index % 32), g = lane / 4, q = lane % 4;
  for (int i = 0; i < 4; i++) {
    const int row = g + i / 2 * 8, column = 2 * q + i % 2;
    float sum = d[i];
    for (int k = 0; k < depth; k++) sum += a_at(lanes, row, k) * b_at(lanes, k, column);
    d[i] = sum;
  }
}

static const Fragments& of(Table lanes, int lane) { return *reinterpret_cast<const Fragments*>(lanes[lane]); }

static float as_float(unsigned bits) {
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}
static float bf16(unsigned pair, int which) { return as_float(which ? pair & 0xffff0000u : pair << 16); }
static float tf32(unsigned bits) { return as_float(bits & 0xffffe000u); }  // the low 13 bits are not read

extern "C" {

void emu_mma_bf16(float d[4], const unsigned a[4], const unsigned b[2]) {
  const Fragments mine = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  multiply(
      d, mine, 16, PC, [](Table lanes, int row, int k) { return bf16(of(lanes, row % 8 * 4 + k % 8 / 2).a[row / 8 + k / 8 * 2], k % 2); },
      [](Table lanes, int k, int column) { return bf16(of(lanes, column * 4 + k % 8 / 2).b[k / 8], k % 2); });
}

void emu_mma_tf32(float d[4], const unsigned a[4], const unsigned b[2]) {
  const Fragments mine = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  multiply(
      d, mine, 8, PC, [](Table lanes, int row, int k) { return tf32(of(lanes, row % 8 * 4 + k % 4).a[row / 8 + k / 4 * 2]); },
      [](Table lanes, int k, int column) { return tf32(of(lanes, column * 4 + k % 4).b[k / 4]); });
}

void emu_ldmatrix(unsigned out[4], const void* row, int transposed) {
  const uintptr_t address = reinterpret_cast<uintptr_t>(row);
  if (address - shared.base >= shared.bytes) raise(illegal_address, "ldmatrix of a row that is not in shared memory", PC);
  check(address, 16, Kind::read, 16, PC);
  const Table lanes = exchange_table(all_lanes, &row, sizeof row, PC);
  const unsigned lane = block->running->index % 32;
  for (unsigned m = 0; m < 4; m++) {
    uint16_t pair[2];
    for (unsigned i = 0; i < 2; i++) {
      const unsigned r = transposed ? lane % 4 * 2 + i : lane / 4, c = transposed ? lane / 4 : lane % 4 * 2 + i;
      const char* from;
      memcpy(&from, lanes[m * 8 + r], sizeof from);
      memcpy(&pair[i], from + 2 * c, sizeof pair[i]);
    }
    memcpy(&out[m], pair, sizeof pair);
  }
}
}
