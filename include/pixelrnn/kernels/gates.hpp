// SPDX-License-Identifier: MIT
// The four non-linearities of an LSTM cell with one division between them.
#pragma once

#include <pixelrnn/simd/math.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::kernels::detail {

template <class T>
struct Gates {
  simd::Batch<T> o, f, i, g;
};

/// o, f, i = logistic, g = tanh of the pre-activations.
///
/// In float each is a quotient, and a vector division takes as long as twenty multiply-adds, so one
/// reciprocal of the product of all four denominators serves them all:
///   1/a = (1/(a·b))·b.
/// The logistics' arguments are held at ±27 so that the product stays below 4e37; there a gate is
/// within 2e-12 of 0 or 1. At most 6 ulp inside.
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Gates<T> activate(simd::Batch<T> o, simd::Batch<T> f,
                                                       simd::Batch<T> i, simd::Batch<T> g) {
  if constexpr (std::is_same_v<T, float>) {
    using B = simd::Batch<float>;
    const B one(1.0f);
    const auto denominator = [one](B z) PIXELRNN_INLINE_LAMBDA {
      return one + simd::detail::bounded_exp(simd::detail::clamp(z, 27.0f), -1.0f);
    };
    const B a = denominator(o), b = denominator(f), c = denominator(i);
    const simd::detail::Quotient tanh_g = simd::detail::tanh_quotient(g);
    const B ab = a * b, cd = c * tanh_g.denominator;
    const B inverse = one / (ab * cd);
    const B inverse_ab = inverse * cd, inverse_cd = inverse * ab;
    return {inverse_ab * b, inverse_ab * a, inverse_cd * tanh_g.denominator,
            inverse_cd * c * tanh_g.numerator};
  } else {
    return {simd::logistic(o), simd::logistic(f), simd::logistic(i), simd::tanh(g)};
  }
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::kernels::detail
