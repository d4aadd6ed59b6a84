// The kernels for AVX2 and FMA. The target stands in a pragma because cgo refuses -mavx2 -mfma as flags.
#if defined(__x86_64__)
#pragma GCC target("avx2,fma")
#define NCT_ISA avx2
#define NCT_VECTOR_BYTES 32
#include "table.hpp"
#endif
