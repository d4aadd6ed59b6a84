// The flat C interface of the CPU kernels: what Go (nct.go) and a C++ main without Go (sanitize_main.cpp) call.
//
// A kernel is found by name, instruction set and precision, and then called with one nct_call: operands in the order of the operation's row
// in kernels/ops.go. A recording keeps calls and replays them without allocating.
#ifndef NCT_H
#define NCT_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

enum { NCT_MAX_OPERANDS = 12, NCT_MAX_SCALARS = 8 };

// Flags of a call (kernels/op.go).
enum { NCT_RELU = 1, NCT_RANDOM_CROP_FLIP = 2 };

// Slots of the state operand (kernels/ops.go).
enum { NCT_STATE_STEP, NCT_STATE_SLOT, NCT_STATE_CURSOR, NCT_STATE_EPOCH, NCT_STATE_SEED, NCT_STATE_NONFINITE, NCT_STATE_LEN = 8 };

// Geometry (kernels/shape.go): x [n,h,w,c], w [k,r,s,c], y [n,p,q,k].
typedef struct nct_shape {
  int64_t n, h, w, c, k, r, s, stride, pad;
} nct_shape;

typedef struct nct_call {
  nct_shape shape;
  void* operand[NCT_MAX_OPERANDS];  // null where an optional operand is absent
  double scalar[NCT_MAX_SCALARS];
  void* workspace;  // nct_requirements.workspace bytes, 64-byte aligned, contents undefined
  uint32_t flags;
} nct_call;

typedef struct nct_pool nct_pool;

// What a call needs beside its operands. All are functions of the shape alone.
typedef struct nct_requirements {
  int64_t workspace;  // bytes shared by all threads during the call
  int64_t scratch;    // bytes for each thread, owned by the pool
  int64_t packed;     // bytes of the packed weight operand, 0 where the kernel reads KRSC
} nct_requirements;

typedef struct nct_kernel {
  const char* name;  // "conv_fprop_im2col"; its pack is the kernel "conv_fprop_im2col_pack": operands w, packed
  void (*run)(const nct_call*, nct_pool*);
  void (*requirements)(const nct_shape*, nct_requirements*);  // null: nothing
} nct_kernel;

// Instruction sets, ascending on one architecture.
enum { NCT_ISA_BASELINE, NCT_ISA_AVX2, NCT_ISA_AVX512, NCT_ISA_NEON, NCT_ISA_COUNT };

// nct_isa_detect: the best instruction set of this machine.   nct_isa_supported: whether kernels of isa are in this build and run here.
int nct_isa_detect(void);
int nct_isa_supported(int isa);

// nct_find_kernel: null where the name is unknown at this isa and precision (bits is 32 or 64).
const nct_kernel* nct_find_kernel(const char* name, int isa, int bits);
// nct_kernel_at: the i-th kernel of an isa and precision, null past the end.
const nct_kernel* nct_kernel_at(int isa, int bits, int i);

// A pool of threads (the caller is one of them) that spin briefly for work and then sleep. One call at a time.
nct_pool* nct_pool_create(int threads);
void nct_pool_destroy(nct_pool*);
int nct_pool_threads(const nct_pool*);
// nct_pool_reserve: makes every thread's scratch at least this large. Returns 0, or ENOMEM.
int nct_pool_reserve(nct_pool*, int64_t scratch);
// nct_pool_assume_cache: a second-level cache of so many bytes, for tests; a pool knows that of its machine.
void nct_pool_assume_cache(nct_pool*, int64_t bytes);

// A recording: calls kept in order and replayed.
typedef struct nct_recording nct_recording;
nct_recording* nct_recording_create(void);
void nct_recording_destroy(nct_recording*);
int nct_recording_add(nct_recording*, const nct_kernel*, const nct_call*);  // 0, or ENOMEM; the call is copied
void nct_recording_replay(const nct_recording*, nct_pool*);
// nct_recording_profile: as replay, and writes each call's nanoseconds (nct_recording_add order).
void nct_recording_profile(const nct_recording*, nct_pool*, int64_t* nanoseconds);

// Memory: zeroed, 2 MiB aligned, on huge pages where the system gives them. null when there is not enough.
void* nct_memory_map(int64_t bytes);
void nct_memory_unmap(void*, int64_t bytes);

// nct_allocations: how often this library allocated since it was loaded (a replay must not change it).
int64_t nct_allocations(void);

#ifdef __cplusplus
}
#endif
#endif
