// The kernel table of one instruction set. Adding a kernel is its header, included here, and one line in one of the two lists (each ends
// with a null row); the name is the function's own, so list and code cannot drift. The including isa_*.cpp sets NCT_ISA (its namespace) and NCT_VECTOR_BYTES.
//
// What stands in these headers is compiled once an instruction set. It must live in nct::NCT_ISA and must not use std:: templates or
// inline functions from elsewhere: the linker keeps one copy of such a function, and a machine without AVX-512 would then run another's zmm code
// (TestISAsDoNotLeak disassembles the binary for it).
#ifndef NCT_TABLE_HPP
#define NCT_TABLE_HPP
#include "add_direct.hpp"
#include "advance_direct.hpp"
#include "augment_direct.hpp"
#include "avg_pool_direct.hpp"
#include "bn_backward_direct.hpp"
#include "bn_forward_direct.hpp"
#include "bn_stats_direct.hpp"
#include "class_moments_direct.hpp"
#include "conv_direct.hpp"
#include "conv_im2col.hpp"
#include "conv_im2col_pack.hpp"
#include "conv_im2col_wgrad.hpp"
#include "conv_winograd.hpp"
#include "conv_winograd_pack.hpp"
#include "conv_winograd_wgrad.hpp"
#include "cross_entropy_direct.hpp"
#include "isa.hpp"
#include "linear_direct.hpp"
#include "linear_im2col.hpp"
#include "peak_direct.hpp"
#include "relu_direct.hpp"
#include "sgd_direct.hpp"

namespace nct::NCT_ISA {

// KERNEL needs nothing beside its operands; KERNEL_REQUIRING has a name_requirements beside it, KERNEL_LIKE needs what another kernel needs.
#define KERNEL(name) \
  { #name, name < T>, nullptr }
#define KERNEL_REQUIRING(name) \
  { #name, name < T>, name##_requirements < T> }
#define KERNEL_LIKE(name, like) \
  { #name, name < T>, like##_requirements < T> }
// WINOGRAD is a kernel of an algorithm: "conv_fprop_winograd" with "_f43" is conv_fprop_winograd of WinogradF43, which needs what `like` needs.
#define WINOGRAD(name, like, suffix, algorithm) \
  { #name suffix, name < algorithm, T>, like##_requirements < algorithm, T> }
// PACK is the packing of a fused form, that of the convolution alone.
#define PACK(name, pack) \
  { name "_pack", pack, nullptr }

// Kernels for float and double.
template <typename T>
constexpr nct_kernel kAnyPrecision[] = {
    KERNEL_REQUIRING(conv_fprop_direct),
    KERNEL_REQUIRING(conv_dgrad_direct),
    KERNEL_REQUIRING(conv_wgrad_direct),
    KERNEL_LIKE(conv_fprop_bn_direct, conv_fprop_direct),
    KERNEL_REQUIRING(conv_fprop_stats_direct),
    KERNEL_LIKE(conv_dgrad_add_direct, conv_dgrad_direct),
    WINOGRAD(conv_fprop_winograd, conv_fprop_winograd, "_f43", WinogradF43),
    PACK("conv_fprop_winograd_f43", (conv_fprop_winograd_pack<WinogradF43, T>)),
    WINOGRAD(conv_dgrad_winograd, conv_dgrad_winograd, "_f43", WinogradF43),
    PACK("conv_dgrad_winograd_f43", (conv_dgrad_winograd_pack<WinogradF43, T>)),
    WINOGRAD(conv_wgrad_winograd, conv_wgrad_winograd, "_f43", WinogradF43),
    WINOGRAD(conv_fprop_winograd, conv_fprop_winograd, "_f42", WinogradF42),
    PACK("conv_fprop_winograd_f42", (conv_fprop_winograd_pack<WinogradF42, T>)),
    WINOGRAD(conv_dgrad_winograd, conv_dgrad_winograd, "_f42", WinogradF42Dgrad),
    PACK("conv_dgrad_winograd_f42", (conv_dgrad_winograd_pack<WinogradF42Dgrad, T>)),
    WINOGRAD(conv_wgrad_winograd, conv_wgrad_winograd, "_f42", WinogradF42),
    KERNEL_REQUIRING(bn_stats_direct),
    KERNEL(bn_eval_stats_direct),
    KERNEL(bn_forward_direct),
    KERNEL_REQUIRING(bn_backward_stats_direct),
    KERNEL(bn_backward_direct),
    KERNEL(relu_forward_direct),
    KERNEL(relu_backward_direct),
    KERNEL(add_direct),
    KERNEL(avg_pool_forward_direct),
    KERNEL(avg_pool_backward_direct),
    KERNEL(linear_fprop_direct),
    KERNEL(linear_dgrad_direct),
    KERNEL(linear_wgrad_direct),
    KERNEL_REQUIRING(cross_entropy_direct),
    KERNEL_REQUIRING(class_moments_direct),
    KERNEL(augment_direct),
    KERNEL(sgd_direct),
    KERNEL(advance_direct),
    KERNEL(peak_fma_direct),
    KERNEL(peak_read_direct),
    {nullptr, nullptr, nullptr},
};

// Kernels for float only.
template <typename T>
constexpr nct_kernel kFloatOnly[] = {
    WINOGRAD(conv_fprop_bn_winograd, conv_fprop_winograd, "_f43", WinogradF43),
    PACK("conv_fprop_bn_winograd_f43", (conv_fprop_winograd_pack<WinogradF43, T>)),
    WINOGRAD(conv_fprop_stats_winograd, conv_fprop_stats_winograd, "_f43", WinogradF43),
    PACK("conv_fprop_stats_winograd_f43", (conv_fprop_winograd_pack<WinogradF43, T>)),
    WINOGRAD(conv_dgrad_add_winograd, conv_dgrad_winograd, "_f43", WinogradF43),
    PACK("conv_dgrad_add_winograd_f43", (conv_dgrad_winograd_pack<WinogradF43, T>)),
    WINOGRAD(conv_fprop_bn_winograd, conv_fprop_winograd, "_f42", WinogradF42),
    PACK("conv_fprop_bn_winograd_f42", (conv_fprop_winograd_pack<WinogradF42, T>)),
    WINOGRAD(conv_fprop_stats_winograd, conv_fprop_stats_winograd, "_f42", WinogradF42),
    PACK("conv_fprop_stats_winograd_f42", (conv_fprop_winograd_pack<WinogradF42, T>)),
    WINOGRAD(conv_dgrad_add_winograd, conv_dgrad_winograd, "_f42", WinogradF42Dgrad),
    PACK("conv_dgrad_add_winograd_f42", (conv_dgrad_winograd_pack<WinogradF42Dgrad, T>)),
    KERNEL_REQUIRING(conv_fprop_im2col),
    KERNEL(conv_fprop_im2col_pack),
    KERNEL_LIKE(conv_fprop_bn_im2col, conv_fprop_im2col),
    PACK("conv_fprop_bn_im2col", conv_fprop_im2col_pack<T>),
    KERNEL_REQUIRING(conv_fprop_stats_im2col),
    PACK("conv_fprop_stats_im2col", conv_fprop_im2col_pack<T>),
    KERNEL_REQUIRING(conv_dgrad_im2col),
    KERNEL(conv_dgrad_im2col_pack),
    KERNEL_LIKE(conv_dgrad_add_im2col, conv_dgrad_im2col),
    PACK("conv_dgrad_add_im2col", conv_dgrad_im2col_pack<T>),
    KERNEL_REQUIRING(conv_wgrad_im2col),
    KERNEL_REQUIRING(linear_fprop_im2col),
    KERNEL(linear_fprop_im2col_pack),
    KERNEL_REQUIRING(linear_dgrad_im2col),
    KERNEL(linear_dgrad_im2col_pack),
    KERNEL_REQUIRING(linear_wgrad_im2col),
    {nullptr, nullptr, nullptr},
};

#undef KERNEL
#undef KERNEL_REQUIRING
#undef KERNEL_LIKE
#undef WINOGRAD
#undef PACK

const nct_kernel* kernel_at(int bits, int i) {
  constexpr int kAny = sizeof kAnyPrecision<float> / sizeof(nct_kernel) - 1, kFloat = sizeof kFloatOnly<float> / sizeof(nct_kernel) - 1;
  if (bits == 64) return i < kAny ? &kAnyPrecision<double>[i] : nullptr;
  if (i < kAny) return &kAnyPrecision<float>[i];
  return i < kAny + kFloat ? &kFloatOnly<float>[i - kAny] : nullptr;
}

}  // namespace nct::NCT_ISA
#endif
