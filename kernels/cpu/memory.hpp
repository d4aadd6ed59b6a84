// What the ISA-neutral sources share: counted allocation.
#ifndef NCT_MEMORY_HPP
#define NCT_MEMORY_HPP
#include <stddef.h>

namespace nct {

// count_allocation adds one to what nct_allocations reports. Everything in this library that allocates calls it.
void count_allocation();

// allocate returns bytes aligned to 64, or null; release frees them (null is fine).
void* allocate(size_t bytes);
void release(void*);

}  // namespace nct
#endif
