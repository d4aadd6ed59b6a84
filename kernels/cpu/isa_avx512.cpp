// The kernels for AVX-512 (F, VL, BW, DQ). The target stands in a pragma because cgo refuses -mavx512f as a flag.
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,fma,prefer-vector-width=512")
#define NCT_ISA avx512
#define NCT_VECTOR_BYTES 64
#include "table.hpp"
#endif
