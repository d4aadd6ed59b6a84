// Counters of memory requests: what the 32 lanes of a warp ask for with one instruction.
//
// Threads do not run in lockstep here, so a request is put together afterwards: of each instruction the n-th execution of every lane since the block began. That
// is the card's request wherever the lanes of a warp run the same number of turns of each loop; where they do not, requests count as fuller than they are.
#include <string.h>

#include <algorithm>
#include <unordered_map>

#include "emu.h"

namespace emu {

bool counting;
static Counters total;

namespace {
struct Request {
  uintptr_t at[32];
  uint32_t lanes = 0;
  unsigned bytes = 0;
  bool is_shared = false, is_write = false;
};
struct Instruction {
  std::vector<Request> requests;
  unsigned executed[32] = {};
};
}  // namespace

// By warp of the running block, then by instruction; an asynchronous copy is two, one for either memory.
static std::vector<std::unordered_map<uintptr_t, Instruction>> warps;

static Instruction& instruction(unsigned warp, bool is_shared, const void* pc) {
  if (warps.size() <= warp) warps.resize(warp + 1);
  return warps[warp][2 * reinterpret_cast<uintptr_t>(pc) + is_shared];
}

void count_no_access(bool is_shared, const void* pc) {
  const unsigned me = block->running->index;
  if (counting) instruction(me / 32, is_shared, pc).executed[me % 32]++;
}

void count_access(uintptr_t address, size_t bytes, Kind kind, bool is_shared, const void* pc) {
  const unsigned me = block->running->index, lane = me % 32;
  Instruction& in = instruction(me / 32, is_shared, pc);
  const unsigned n = in.executed[lane]++;
  if (in.requests.size() <= n) in.requests.resize(n + 1);
  Request& r = in.requests[n];
  r.at[lane] = address;
  r.lanes |= 1u << lane;
  r.bytes = static_cast<unsigned>(bytes);
  r.is_shared = is_shared;
  r.is_write = kind != Kind::read;
}

// distinct counts the aligned units that the lanes [first, last) of a request touch.
static unsigned distinct(const Request& r, unsigned first, unsigned last, uintptr_t unit) {
  uintptr_t seen[64];
  unsigned n = 0;
  for (unsigned lane = first; lane < last; lane++) {
    if (!(r.lanes >> lane & 1)) continue;
    for (uintptr_t u = r.at[lane] / unit; u <= (r.at[lane] + r.bytes - 1) / unit; u++)
      if (std::find(seen, seen + n, u) == seen + n) seen[n++] = u;
  }
  return n;
}

// Shared memory has 32 banks of 4 bytes, and serves 128 bytes at a time: of 16 bytes a lane a quarter of the warp, of 8 half of it. A wavefront more is needed for each
// further word that is wanted of the same bank.
static unsigned wavefronts(const Request& r, unsigned first, unsigned last) {
  unsigned most = 0;
  uintptr_t words[32][32];
  unsigned count[32] = {};
  for (unsigned lane = first; lane < last; lane++) {
    if (!(r.lanes >> lane & 1)) continue;
    for (uintptr_t word = r.at[lane] / 4; word <= (r.at[lane] + r.bytes - 1) / 4; word++) {
      uintptr_t* const bank = words[word % 32];
      unsigned& n = count[word % 32];
      if (std::find(bank, bank + n, word) == bank + n) bank[n++] = word;
      most = std::max(most, n);
    }
  }
  return most;
}

static void add(const Request& r) {
  if (!r.is_shared) {
    (r.is_write ? total.store_requests : total.load_requests)++;
    (r.is_write ? total.store_sectors : total.load_sectors) += distinct(r, 0, 32, 32);
    return;
  }
  total.shared_requests++;
  const unsigned lanes = std::min(32u, 128 / std::max(4u, r.bytes));
  for (unsigned first = 0; first < 32; first += lanes) {
    const unsigned needed = wavefronts(r, first, first + lanes);
    total.shared_wavefronts += needed;
    if (needed > 1) total.bank_conflicts += needed - 1;
  }
}

void count_block() {
  for (auto& warp : warps)
    for (auto& [pc, in] : warp)
      for (const Request& r : in.requests)
        if (r.lanes) add(r);
  warps.clear();
}

}  // namespace emu

// emu_count begins (1) or ends (0) counting, and clears what was counted when it begins.
extern "C" void emu_count(int on) {
  emu::counting = on != 0;
  if (on) emu::total = {};
}
// emu_counters copies what was counted, in the order of Counters.
extern "C" void emu_counters(unsigned long long* out) { memcpy(out, &emu::total, sizeof emu::total); }
