// The pool as the kernels see it. ISA-neutral: declarations only, so that no ISA's code is shared with another's.
#ifndef NCT_POOL_HPP
#define NCT_POOL_HPP
#include "nct.h"

extern "C" {

// nct_parallel: calls fn(ctx, task, thread) once for every task in [0, tasks) and returns when all have ended. Threads claim tasks one by one in
// ascending order; thread, in [0, nct_pool_threads), only says whose scratch a task may use. A task must not start a region of its own.
void nct_parallel(nct_pool*, int tasks, void (*fn)(void* ctx, int task, int thread), void* ctx);

// nct_pool_scratch: the thread's scratch, 64-byte aligned, contents undefined; as large as the greatest nct_pool_reserve.
void* nct_pool_scratch(const nct_pool*, int thread);

// nct_pool_cache: bytes of a processor's second-level cache; 0 where the system does not tell. Results must not depend on it.
int64_t nct_pool_cache(const nct_pool*);
}
#endif
