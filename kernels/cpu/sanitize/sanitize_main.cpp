// Runs every kernel of every instruction set and precision without Go, for the sanitizers, valgrind and qemu (their commands: README.md beside).
//
// Each kernel meets odd shapes, with and without its optional operands and flags, on 1, 2, 3 and 5 threads. Every operand is its own heap block, so that
// an address sanitizer sees the first byte outside it; outputs start as NaN; in other builds a guard band around each must stay. The result must be the
// same bits on any number of threads and agree with the direct kernel in double on the baseline instruction set. What the pool promises is tried apart.
//
// Usage: sanitize_main [part of a kernel's name]
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <string>
#include <vector>

#include "../nct.h"
#include "../pool.hpp"
#include "operations.hpp"

// Bytes before and after an operand. 0 lets the tool see the edges itself; ASan needs that.
#ifndef NCT_GUARD
#define NCT_GUARD 64
#endif

namespace {

int failures = 0;

#define FAIL(...)        \
  do {                   \
    printf(__VA_ARGS__); \
    printf("\n");        \
    failures++;          \
  } while (false)

constexpr unsigned char kGuardByte = 0xa5;

// A heap block with guard bands.
struct Block {
  unsigned char* memory = nullptr;
  int64_t bytes = 0;

  void allocate(int64_t n) {
    bytes = n;
    const size_t total = (static_cast<size_t>(n) + 2 * NCT_GUARD + (NCT_GUARD ? 63 : 0)) / (NCT_GUARD ? 64 : 1) * (NCT_GUARD ? 64 : 1);
    if (posix_memalign(reinterpret_cast<void**>(&memory), 64, total > 0 ? total : 1) != 0) abort();
    for (int i = 0; i < NCT_GUARD; i++) memory[i] = data()[n + i] = kGuardByte;
  }
  unsigned char* data() const { return memory + NCT_GUARD; }
  bool intact() const {
    for (int i = 0; i < NCT_GUARD; i++)
      if (memory[i] != kGuardByte || data()[bytes + i] != kGuardByte) return false;
    return true;
  }
  void release() { free(memory); }
};

// number is the i-th value of an operand: small multiples of 1/64, the same in float and double, from a generator of its own.
double number(int operand, int64_t i, Values values, int64_t classes) {
  uint64_t z = static_cast<uint64_t>(operand + 1) * 0x9E3779B97F4A7C15 + static_cast<uint64_t>(i) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 30)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  const double v = static_cast<double>(z % 257) / 64;
  if (values == kPositive) return v + 0.25;
  if (values == kIndex) return static_cast<double>(i % classes);
  return v - 2;
}

void fill(const Block& block, const Operand& operand, int index, int64_t n, int bits, int64_t classes) {
  for (int64_t i = 0; i < n; i++) {
    const double v = operand.role == kOut ? NAN : number(index, i, operand.values, classes);
    switch (operand.type) {
      case kReal:
        if (bits == 32)
          reinterpret_cast<float*>(block.data())[i] = static_cast<float>(v);
        else
          reinterpret_cast<double*>(block.data())[i] = v;
        break;
      case kFloat64: reinterpret_cast<double*>(block.data())[i] = v; break;
      case kInt32:
        reinterpret_cast<int32_t*>(block.data())[i] = operand.values == kIndex ? static_cast<int32_t>(v) : static_cast<int32_t>(100 + i);
        break;
      case kInt64: reinterpret_cast<int64_t*>(block.data())[i] = i == NCT_STATE_NONFINITE ? 0 : 1; break;  // cursor 1, epoch 1, ...
      case kUint8: block.data()[i] = static_cast<unsigned char>(index * 31 + i * 7); break;
    }
  }
}

double value(const Block& block, Type type, int64_t i, int bits) {
  switch (type) {
    case kInt32: return reinterpret_cast<const int32_t*>(block.data())[i];
    case kInt64: return static_cast<double>(reinterpret_cast<const int64_t*>(block.data())[i]);
    case kUint8: return block.data()[i];
    case kReal:
      if (bits == 32) return static_cast<double>(reinterpret_cast<const float*>(block.data())[i]);
      break;
    case kFloat64: break;
  }
  return reinterpret_cast<const double*>(block.data())[i];
}

// A call of a kernel with its operands. `present` says whether the optional ones are.
struct Run {
  std::vector<Block> blocks;
  Block workspace, packed;

  Run(const Operation& op, const nct_kernel* kernel, const nct_shape& shape, int isa, int bits, bool present, uint32_t flags, int threads) {
    nct_call call{};
    call.shape = shape;
    call.flags = flags;
    for (size_t i = 0; i < op.scalars.size(); i++) call.scalar[i] = op.scalars[i];
    blocks.resize(op.operands.size());
    for (size_t i = 0; i < op.operands.size(); i++) {
      const Operand& operand = op.operands[i];
      if (operand.optional && !present) continue;
      const int64_t n = operand.count(shape);
      blocks[i].allocate(n * size_of(operand.type, bits));
      fill(blocks[i], operand, static_cast<int>(i), n, bits, shape.k > 1 ? shape.k - 1 : 1);
      call.operand[i] = blocks[i].data();
    }
    nct_requirements needs{};
    if (kernel->requirements != nullptr) kernel->requirements(&shape, &needs);
    workspace.allocate(needs.workspace);
    packed.allocate(needs.packed);
    call.workspace = workspace.data();
    nct_pool* const pool = nct_pool_create(threads);
    if (pool == nullptr || nct_pool_reserve(pool, needs.scratch) != 0) abort();
    const int64_t allocations = nct_allocations();
    if (needs.packed > 0) {
      const nct_kernel* const pack = nct_find_kernel((std::string(kernel->name) + "_pack").c_str(), isa, bits);
      if (pack == nullptr) {
        FAIL("%s wants packed weights and there is no %s_pack", kernel->name, kernel->name);
        exit(1);
      }
      nct_call packing = call;
      packing.operand[0] = call.operand[1];
      packing.operand[1] = packed.data();
      for (int i = 2; i < NCT_MAX_OPERANDS; i++) packing.operand[i] = nullptr;
      pack->run(&packing, pool);
      call.operand[1] = packed.data();
    }
    kernel->run(&call, pool);
    if (nct_allocations() != allocations) FAIL("%s allocates", kernel->name);
    nct_pool_destroy(pool);
  }
  ~Run() {
    for (Block& block : blocks) block.release();
    workspace.release();
    packed.release();
  }
  Run(const Run&) = delete;
};

// agree: close enough to catch a wrong element; the bounds that hold are the Go tests' matter.
bool agree(double got, double want, double scale, int bits) { return got == want || fabs(got - want) <= (bits == 32 ? 1e-4 : 1e-11) * scale; }

void check(const Operation& op, const nct_kernel* kernel, int isa, int bits, const nct_shape& shape, bool present, uint32_t flags) {
  char where[256];
  snprintf(where, sizeof where, "%s isa %d bits %d shape %ldx%ldx%ldx%ld k%ld %ldx%ld s%ld p%ld optional %d flags %u", kernel->name, isa, bits,
           static_cast<long>(shape.n), static_cast<long>(shape.h), static_cast<long>(shape.w), static_cast<long>(shape.c), static_cast<long>(shape.k),
           static_cast<long>(shape.r), static_cast<long>(shape.s), static_cast<long>(shape.stride), static_cast<long>(shape.pad), present, flags);
  const nct_kernel* const direct = nct_find_kernel((std::string(op.name) + "_direct").c_str(), NCT_ISA_BASELINE, 64);
  const Run reference(op, direct, shape, NCT_ISA_BASELINE, 64, present, flags, 1);
  const Run alone(op, kernel, shape, isa, bits, present, flags, 1);
  for (int threads : {2, 3, 5}) {
    const Run run(op, kernel, shape, isa, bits, present, flags, threads);
    for (size_t i = 0; i < run.blocks.size(); i++) {
      if (run.blocks[i].memory == nullptr) continue;
      if (memcmp(run.blocks[i].data(), alone.blocks[i].data(), static_cast<size_t>(run.blocks[i].bytes)) != 0)
        FAIL("%s: operand %zu differs between 1 and %d threads", where, i, threads);
      if (!run.blocks[i].intact() || !run.workspace.intact() || !run.packed.intact()) FAIL("%s: wrote outside a buffer", where);
    }
  }
  for (size_t i = 0; i < op.operands.size(); i++) {
    const Operand& operand = op.operands[i];
    if (alone.blocks[i].memory == nullptr) continue;
    const int64_t n = operand.count(shape);
    double scale = 0;
    for (int64_t j = 0; j < n; j++) scale = fmax(scale, fabs(value(reference.blocks[i], operand.type, j, 64)));
    for (int64_t j = 0; j < n; j++) {
      const double got = value(alone.blocks[i], operand.type, j, bits), want = value(reference.blocks[i], operand.type, j, 64);
      if (!agree(got, want, scale, bits)) {
        FAIL("%s: operand %zu element %ld is %.9g, direct gives %.9g", where, i, static_cast<long>(j), got, want);
        break;
      }
    }
  }
}

// operation_of finds the row that a kernel's name starts with, the longest of them.
const Operation* operation_of(const std::string& kernel) {
  const Operation* found = nullptr;
  for (const Operation& op : kOperations)
    if (kernel.rfind(std::string(op.name) + "_", 0) == 0 && (found == nullptr || strlen(op.name) > strlen(found->name))) found = &op;
  return found;
}

bool ends_with(const std::string& s, const std::string& end) {
  return s.size() >= end.size() && s.compare(s.size() - end.size(), end.size(), end) == 0;
}

// applies: a variant's Can predicate (kernels/variants.go); the C interface has none, its callers know.
bool applies(const nct_kernel* kernel, const nct_shape& s) {
  if (strcmp(kernel->name, "conv_dgrad_add_im2col") == 0) return s.r == 1 && s.s == 1;
  const int stride = strstr(kernel->name, "_winograd_f43") != nullptr ? 1 : strstr(kernel->name, "_winograd_f42") != nullptr ? 2 : 0;
  return stride == 0 || (s.r == 3 && s.s == 3 && s.stride == stride && s.pad == 1);
}

int check_kernels(const char* part) {
  int kernels = 0;
  for (int isa = 0; isa < NCT_ISA_COUNT; isa++) {
    for (int bits : {32, 64}) {
      for (int i = 0; nct_isa_supported(isa) && nct_kernel_at(isa, bits, i) != nullptr; i++) {
        const nct_kernel* const kernel = nct_kernel_at(isa, bits, i);
        // A pack runs with the kernel that wants it.
        if (ends_with(kernel->name, "_pack") || (part != nullptr && strstr(kernel->name, part) == nullptr)) continue;
        const Operation* const op = operation_of(kernel->name);
        if (op == nullptr) {
          FAIL("%s: its operation is missing in sanitize/operations.hpp", kernel->name);
          continue;
        }
        kernels++;
        bool has_optional = false;
        for (const Operand& operand : op->operands) has_optional = has_optional || operand.optional;
        for (const nct_shape& shape : op->shapes)
          for (bool present : {true, false})
            for (uint32_t flags : {0u, op->flag})
              if (applies(kernel, shape) && (present || has_optional) && (flags == 0 || op->flag != 0))
                check(*op, kernel, isa, bits, shape, present, flags);
      }
    }
  }
  return kernels;
}

// check_pool: every task of every region runs once, and sees what the regions before it wrote; also with more threads than processors.
void check_pool() {
  constexpr int kRegions = 3000, kTasks = 7;
  for (int threads : {1, 2, 3, 9}) {
    nct_pool* const pool = nct_pool_create(threads);
    if (pool == nullptr || nct_pool_reserve(pool, 64) != 0) abort();
    struct Counts {
      int of[kTasks] = {};
      nct_pool* pool;
    } counts;
    counts.pool = pool;
    for (int region = 0; region < kRegions; region++) {
      const auto task = [](void* ctx, int i, int thread) {
        Counts* const c = static_cast<Counts*>(ctx);
        *static_cast<int*>(nct_pool_scratch(c->pool, thread)) = i;
        c->of[i]++;
      };
      nct_parallel(pool, kTasks - region % 3, task, &counts);
    }
    for (int i = 0; i < kTasks; i++) {
      const int want = i < kTasks - 2 ? kRegions : i == kTasks - 2 ? kRegions / 3 * 2 : kRegions / 3;
      if (counts.of[i] != want) FAIL("pool of %d threads: task %d ran %d times, not %d", threads, i, counts.of[i], want);
    }
    nct_pool_destroy(pool);
  }
}

// check_recording: two calls in order, their times, and mapped memory.
void check_recording() {
  nct_pool* const pool = nct_pool_create(2);
  nct_recording* const recording = nct_recording_create();
  constexpr int64_t kBytes = 3 << 20;
  float* const memory = static_cast<float*>(nct_memory_map(kBytes));
  if (pool == nullptr || recording == nullptr || memory == nullptr) abort();
  if (reinterpret_cast<uintptr_t>(memory) % (2 << 20) != 0 || memory[kBytes / 4 - 1] != 0) FAIL("nct_memory_map: not aligned or not zeroed");
  nct_call call{};
  call.shape.n = 100;
  for (int i = 0; i < 3; i++) call.operand[i] = memory;  // y = a + b over themselves: doubles
  for (int i = 0; i < 100; i++) memory[i] = ldexpf(1, -100);
  const nct_kernel* const add = nct_find_kernel("add_direct", nct_isa_detect(), 32);
  for (int i = 0; i < 70; i++)
    if (nct_recording_add(recording, add, &call) != 0) abort();
  int64_t nanoseconds[70] = {};
  nct_recording_profile(recording, pool, nanoseconds);
  nct_recording_replay(recording, pool);
  if (memory[99] != ldexpf(1, 40)) FAIL("recording: %g after 140 doublings", static_cast<double>(memory[99]));
  nct_memory_unmap(memory, kBytes);
  nct_recording_destroy(recording);
  nct_pool_destroy(pool);
}

}  // namespace

int main(int argc, char** argv) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  check_pool();
  check_recording();
  const int kernels = check_kernels(argc > 1 ? argv[1] : nullptr);
  printf("%d kernels, best instruction set %d, %d failures\n", kernels, nct_isa_detect(), failures);
  return failures > 0 || kernels == 0;
}
