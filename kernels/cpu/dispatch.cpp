// Which instruction sets this machine runs, and the kernels of each by name. The choice is the caller's.
#include <string.h>

#include "isa.hpp"
#include "nct.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace {

#if defined(__x86_64__)

// The registers that the operating system saves (Intel SDM 13.3): a processor may have AVX-512 and the system not save zmm.
uint64_t saved_registers() {
  uint32_t low, high;
  asm("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

struct Features {
  bool avx2 = false, avx512 = false;
  Features() {
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return;
    const bool fma = c & bit_FMA, osxsave = c & bit_OSXSAVE;
    if (!fma || !osxsave || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
    const uint64_t saved = saved_registers();
    constexpr uint64_t kYmm = 0x06, kZmm = 0xe6;  // XCR0: SSE and AVX; and opmask, zmm low, zmm high
    const uint32_t wanted = bit_AVX512F | bit_AVX512VL | bit_AVX512BW | bit_AVX512DQ;
    avx2 = (b & bit_AVX2) && (saved & kYmm) == kYmm;
    avx512 = avx2 && (b & wanted) == wanted && (saved & kZmm) == kZmm;
  }
};

const Features& features() {
  static const Features f;
  return f;
}

#endif

}  // namespace

extern "C" {

int nct_isa_supported(int isa) {
  switch (isa) {
    case NCT_ISA_BASELINE: return 1;
#if defined(__x86_64__)
    case NCT_ISA_AVX2: return features().avx2;
    case NCT_ISA_AVX512: return features().avx512;
#elif defined(__aarch64__)
    case NCT_ISA_NEON: return 1;
#endif
  }
  return 0;
}

int nct_isa_detect(void) {
  for (int isa = NCT_ISA_COUNT - 1; isa > NCT_ISA_BASELINE; isa--)
    if (nct_isa_supported(isa)) return isa;
  return NCT_ISA_BASELINE;
}

const nct_kernel* nct_kernel_at(int isa, int bits, int i) {
  if (i < 0 || (bits != 32 && bits != 64)) return nullptr;
  switch (isa) {
    case NCT_ISA_BASELINE: return nct::baseline::kernel_at(bits, i);
#if defined(__x86_64__)
    case NCT_ISA_AVX2: return nct::avx2::kernel_at(bits, i);
    case NCT_ISA_AVX512: return nct::avx512::kernel_at(bits, i);
#elif defined(__aarch64__)
    case NCT_ISA_NEON: return nct::neon::kernel_at(bits, i);
#endif
  }
  return nullptr;
}

const nct_kernel* nct_find_kernel(const char* name, int isa, int bits) {
  for (int i = 0;; i++) {
    const nct_kernel* const kernel = nct_kernel_at(isa, bits, i);
    if (kernel == nullptr || strcmp(kernel->name, name) == 0) return kernel;
  }
}
}
