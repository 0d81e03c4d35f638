// SPDX-License-Identifier: MIT
// The four non-linearities of an LSTM cell with one division between them.
#pragma once

#include <pixelrnn/kernels/types.hpp>
#include <pixelrnn/simd/math.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::kernels::detail {

template <class T>
struct Gates {
  simd::Batch<T> o, f, i, g;
};

/// o, f, i = logistic, g = tanh of pre-activations, in two passes over lines of four vectors in
/// that order: prepare_gates(lines, z), then gates_of(line) of each. In float each gate is a
/// quotient, and a vector division takes as long as twenty multiply-adds, so one reciprocal of the
/// product of all four denominators serves them all:
///   1/a = (1/(a·b))·b.
/// The first pass makes the denominators of o, f, i. The logistics' arguments are held at ±27 so
/// that the product stays below 4e37; below -27 a gate is within 2e-12 of 0. Inside, o, f and i are
/// at most 6 ulp off and g 8.
///
/// Two passes, because one chain of dependent operations from z to gate is longer than what a core
/// looks ahead: in one pass it waits for itself (1.6 times the time, measured on AVX-512).
template <class T>
void prepare_gates(Index lines, T* z) {
  if constexpr (std::is_same_v<T, float>) {
    constexpr Index width = simd::lanes<float>;
    const simd::Batch<float> one(1.0f);
    for (Index line = 0; line < lines; ++line, z += gate_count * width) {
      for (Index gate = gate_o; gate <= gate_i; ++gate) {
        float* const at = z + gate * width;
        const auto held = simd::detail::clamp(simd::load(static_cast<const float*>(at)), 27.0f);
        simd::store(at, one + simd::detail::bounded_exp_minus(held));
      }
    }
  }
}

template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Gates<T> gates_of(const T* line) {
  constexpr Index width = simd::lanes<T>;
  const auto o = simd::load(line + gate_o * width), f = simd::load(line + gate_f * width);
  const auto i = simd::load(line + gate_i * width), g = simd::load(line + gate_g * width);
  if constexpr (std::is_same_v<T, float>) {
    const simd::detail::Quotient tanh_g = simd::detail::tanh_quotient(g);
    const auto of = o * f, ig = i * tanh_g.denominator;
    const auto inverse = simd::divide(simd::Batch<T>(1.0f), of * ig);
    const auto inverse_of = inverse * ig, inverse_ig = inverse * of;
    return {inverse_of * f, inverse_of * o, inverse_ig * tanh_g.denominator,
            inverse_ig * i * tanh_g.numerator};
  } else {
    return {simd::logistic(o), simd::logistic(f), simd::logistic(i), simd::tanh(g)};
  }
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::kernels::detail
