// What g++ -fsanitize=thread,signed-integer-overflow plants in the kernels: a call before each access of memory, and one where a signed number overflows.
#include "emu.h"

using emu::Kind;

#define PC __builtin_return_address(0)

// volatile accesses are plain ones here: CUDA gives no order to them between threads.
#define HOOKS(n)                                                                                                           \
  extern "C" void __tsan_read##n(void* p) { emu::check(reinterpret_cast<uintptr_t>(p), n, Kind::read, n, PC); }            \
  extern "C" void __tsan_write##n(void* p) { emu::check(reinterpret_cast<uintptr_t>(p), n, Kind::write, n, PC); }          \
  extern "C" void __tsan_volatile_read##n(void* p) { emu::check(reinterpret_cast<uintptr_t>(p), n, Kind::read, n, PC); }   \
  extern "C" void __tsan_volatile_write##n(void* p) { emu::check(reinterpret_cast<uintptr_t>(p), n, Kind::write, n, PC); } \
  extern "C" void __tsan_unaligned_read##n(void* p) { emu::check(reinterpret_cast<uintptr_t>(p), n, Kind::read, n, PC); }  \
  extern "C" void __tsan_unaligned_write##n(void* p) { emu::check(reinterpret_cast<uintptr_t>(p), n, Kind::write, n, PC); }
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)

extern "C" {
// Structures as a whole: their members' alignment is not told.
void __tsan_read_range(void* p, size_t bytes) { emu::check(reinterpret_cast<uintptr_t>(p), bytes, Kind::read, 1, PC); }
void __tsan_write_range(void* p, size_t bytes) { emu::check(reinterpret_cast<uintptr_t>(p), bytes, Kind::write, 1, PC); }
void __tsan_init(void) {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit(void) {}
}

// What overflows has no defined value: nvcc may compute the rest in 64 bits, g++ wraps here.
static void overflow(const char* what, const void* pc) {
  if (emu::watching) emu::raise(emu::launch_failed, std::string("a signed integer overflows in ") + what, pc);
}
extern "C" {
void __ubsan_handle_add_overflow(void*, void*, void*) { overflow("an addition", PC); }
void __ubsan_handle_sub_overflow(void*, void*, void*) { overflow("a subtraction", PC); }
void __ubsan_handle_mul_overflow(void*, void*, void*) { overflow("a product", PC); }
void __ubsan_handle_negate_overflow(void*, void*) { overflow("a change of sign", PC); }
void __ubsan_handle_divrem_overflow(void*, void*, void*) { overflow("a division", PC); }
}
