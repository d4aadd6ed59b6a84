// What a convolution does to a row of outputs before it is stored, while they are in registers or in the cache: each form of an epilogue gives the bits of
// the operation that it saves a pass of (bn_forward_direct.hpp, add_direct.hpp).
//
// An epilogue's at(channel, part) holds what a vector of channels needs; the result's (value, to, part) is what goes to `to`.
#ifndef NCT_EPILOGUE_HPP
#define NCT_EPILOGUE_HPP
#include "parallel.hpp"

namespace nct::NCT_ISA {

// The output as it is.
template <typename T>
struct KeepOutput {
  template <typename Width>
  auto at(int64_t, Width) const {
    return [](Vector<T> value, const T*, Width) { return value; };
  }
};

// The output added to what is there (conv_dgrad_add).
template <typename T>
struct AddToOutput {
  template <typename Width>
  auto at(int64_t, Width) const {
    return [](Vector<T> value, const T* to, Width part) { return load(to, part) + rounded(value); };
  }
};

// (value-mean) * (invstd*gamma) + beta [+ residual] [max(., 0)]: conv_fprop_bn. residual lies as the output does, which begins at `out`.
template <typename T, bool Residual, bool Relu>
struct NormalizeOutput {
  const T *mean, *invstd, *gamma, *beta, *residual, *out;

  template <typename Width>
  auto at(int64_t channel, Width part) const {
    const Vector<T> center = load(mean + channel, part), scale = load(invstd + channel, part) * load(gamma + channel, part);
    const Vector<T> shift = load(beta + channel, part);
    return [=, *this](Vector<T> value, const T* to, Width width) {
      Vector<T> y = fma(rounded(value) - center, scale, shift);
      if constexpr (Residual) y = rounded(y) + load(residual + (to - out), width);
      if constexpr (Relu) y = relu(y);
      return y;
    };
  }
};

// with_normalization calls body(epilogue) for the operands and flags of a conv_fprop_bn call.
template <typename T, typename Body>
inline void with_normalization(const nct_call* call, Body body) {
  const T *const mean = operand<const T>(call, 2), *const invstd = operand<const T>(call, 3), *const gamma = operand<const T>(call, 4);
  const T *const beta = operand<const T>(call, 5), *const residual = operand<const T>(call, 6), *const y = operand<const T>(call, 7);
  const bool relu = (call->flags & NCT_RELU) != 0;
  if (residual != nullptr)
    relu ? body(NormalizeOutput<T, true, true>{mean, invstd, gamma, beta, residual, y})
         : body(NormalizeOutput<T, true, false>{mean, invstd, gamma, beta, residual, y});
  else
    relu ? body(NormalizeOutput<T, false, true>{mean, invstd, gamma, beta, residual, y})
         : body(NormalizeOutput<T, false, false>{mean, invstd, gamma, beta, residual, y});
}

}  // namespace nct::NCT_ISA
#endif
