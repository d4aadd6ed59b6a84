// The kernel table of each instruction set, one function a thin source file (isa_*.cpp): the i-th kernel of a precision (bits 32 or 64), null past the end.
#ifndef NCT_ISA_HPP
#define NCT_ISA_HPP
#include "nct.h"

namespace nct {
namespace baseline {
const nct_kernel* kernel_at(int bits, int i);
}
namespace avx2 {
const nct_kernel* kernel_at(int bits, int i);
}
namespace avx512 {
const nct_kernel* kernel_at(int bits, int i);
}
namespace neon {
const nct_kernel* kernel_at(int bits, int i);
}
}  // namespace nct
#endif
