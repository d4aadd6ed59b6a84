// What a convolution does to a row of outputs before it is stored, while they are in registers or in the cache: each form of an epilogue gives the bits of
// the operation that it saves a pass of (bn_forward_direct.hpp, add_direct.hpp).
//
// An epilogue's at(channel, part) holds what a vector of channels needs; the result's (value, to, part) is what goes to `to`. Where it `streams`, a transform
// stores that past the caches (streams_output).
#ifndef NCT_EPILOGUE_HPP
#define NCT_EPILOGUE_HPP
#include "parallel.hpp"

namespace nct::NCT_ISA {

// The output as it is.
template <typename T>
struct KeepOutput {
  bool streams = false;

  template <typename Width>
  auto at(int64_t, Width) const {
    return [](Vector<T> value, const T*, Width) { return value; };
  }
};

// The output added to what is there (conv_dgrad_add).
template <typename T>
struct AddToOutput {
  static constexpr bool streams = false;  // what is there has been read

  template <typename Width>
  auto at(int64_t, Width) const {
    return [](Vector<T> value, const T* to, Width part) { return load(to, part) + rounded(value); };
  }
};

// (value-mean) * (invstd*gamma) + beta [+ residual] [max(., 0)]: conv_fprop_bn. residual, null where there is none, lies as the output does, which begins
// at `out`. What is there is asked for each vector anew: that costs nothing beside a transform, and each form compiled by itself much.
template <typename T>
struct NormalizeOutput {
  const T *mean, *invstd, *gamma, *beta, *residual, *out;
  bool relu, streams = false;

  // The operands of a conv_fprop_bn call.
  explicit NormalizeOutput(const nct_call* call)
      : mean(operand<const T>(call, 2)),
        invstd(operand<const T>(call, 3)),
        gamma(operand<const T>(call, 4)),
        beta(operand<const T>(call, 5)),
        residual(operand<const T>(call, 6)),
        out(operand<const T>(call, 7)),
        relu((call->flags & NCT_RELU) != 0) {}

  template <typename Width>
  auto at(int64_t channel, Width part) const {
    const Vector<T> center = load(mean + channel, part), scale = load(invstd + channel, part) * load(gamma + channel, part);
    const Vector<T> shift = load(beta + channel, part);
    return [this, center, scale, shift](Vector<T> value, const T* to, Width width) {
      Vector<T> y = fma(rounded(value) - center, scale, shift);
      if (residual != nullptr) y = rounded(y) + load(residual + (to - out), width);
      return relu ? nct::NCT_ISA::relu(y) : y;
    };
  }
};

}  // namespace nct::NCT_ISA
#endif
