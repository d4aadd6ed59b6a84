#include "order.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <utility>

namespace emu {

static enum { round_robin, reverse, shuffled } order = round_robin;
static uint64_t state = 1;

bool read_order() {
  const char* const text = getenv("NCTRAIN_EMU_ORDER");
  if (!text || !*text || !strcmp(text, "round")) return true;
  if (!strcmp(text, "reverse")) return order = reverse, true;
  if (strncmp(text, "random:", 7)) return false;
  char* end;
  state = strtoull(text + 7, &end, 10) * 2 + 1;  // xorshift must not start at 0
  order = shuffled;
  return end != text + 7 && !*end;
}

// Marsaglia, "Xorshift RNGs", 2003.
static uint64_t next() {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

// turn holds some arrangement of 0..n-1; ascending is its first.
void arrange(std::vector<unsigned>& turn) {
  if (order == reverse && turn.size() > 1 && turn.front() < turn.back()) std::reverse(turn.begin(), turn.end());
  if (order == shuffled)
    for (size_t i = turn.size(); i > 1; i--) std::swap(turn[i - 1], turn[next() % i]);
}

}  // namespace emu
