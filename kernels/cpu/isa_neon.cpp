// The kernels for NEON, which every AArch64 has.
#if defined(__aarch64__)
#define NCT_ISA neon
#define NCT_VECTOR_BYTES 16
#include "table.hpp"
#endif
