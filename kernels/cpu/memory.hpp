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

// allocate_huge is allocate on huge pages where the system gives them: a cache is indexed by physical addresses, and pages of 4 KB can crowd a few of its sets.
// The bytes end where the last page ends, so that checkers of memory see who writes beyond. release_huge frees them.
void* allocate_huge(size_t bytes);
void release_huge(void*, size_t bytes);

}  // namespace nct
#endif
