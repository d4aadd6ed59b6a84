// The kernels for any machine of the architecture: 16-byte vectors (SSE2 on x86-64), no fused multiply-add on x86-64.
#define NCT_ISA baseline
#define NCT_VECTOR_BYTES 16
#include "table.hpp"
