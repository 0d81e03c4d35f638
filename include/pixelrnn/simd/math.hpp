// SPDX-License-Identifier: MIT
// exp, log, logistic, tanh and relu on vectors; NaN in, NaN out.
#pragma once

#include <limits>
#include <type_traits>

#include <pixelrnn/simd/batch.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::simd {

/// e^x and ln x; at most 2 ulp in float and double, where x and the result are normal numbers.
/// Smaller results may be 0; e^x above 1/√2 of the largest number may be infinite.
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> exp(Batch<T> x) {
  return xsimd::exp(x);
}
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> log(Batch<T> x) {
  return xsimd::log(x);
}

/// 1 / (1 + e^-x), at most 4 ulp; 0 below about -88 (float) or -708 (double).
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> logistic(Batch<T> x) {
  return Batch<T>(T{1}) / (Batch<T>(T{1}) + exp(-x));
}

/// Hyperbolic tangent, at most 4 ulp. Float: an odd polynomial near 0 (coefficients: Moshier,
/// Cephes library, tanhf), 1 - 2/(e^2x + 1) elsewhere; both are computed and one is selected, since
/// a branch on sixteen lanes is taken almost always.
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> tanh(Batch<T> x) {
  if constexpr (std::is_same_v<T, float>) {
    using B = Batch<float>;
    const B square = x * x;
    B poly = xsimd::fma(B(-5.70498872745e-3f), square, B(2.06390887954e-2f));
    poly = xsimd::fma(poly, square, B(-5.37397155531e-2f));
    poly = xsimd::fma(poly, square, B(1.33314422036e-1f));
    poly = xsimd::fma(poly, square, B(-3.33332819422e-1f));
    const B small = xsimd::fma(poly * square, x, x);
    const B large = B(1.0f) - B(2.0f) / (exp(x + x) + B(1.0f));
    return xsimd::select(xsimd::abs(x) < B(0.625f), small, large);
  } else {
    return xsimd::tanh(x);
  }
}

/// max(x, 0) that keeps NaN: xsimd::max changes its NaN rule between versions.
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> relu(Batch<T> x) {
  return xsimd::select(x < Batch<T>(T{0}), Batch<T>(T{0}), x);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::simd
