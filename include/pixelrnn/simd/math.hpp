// SPDX-License-Identifier: MIT
// logistic, tanh, relu and softplus on vectors, exp and log with them; NaN in, NaN out.
#pragma once

#include <cstdint>
#include <type_traits>

#include <pixelrnn/simd/exp_log.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::simd {

namespace detail {

/// x held between -bound and bound, NaN kept. xsimd::min and max return their second operand on NaN
/// before version 14 and their first from it on.
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> clamp(Batch<T> x, T bound) {
#if XSIMD_VERSION_MAJOR >= 14
  return xsimd::min(xsimd::max(x, Batch<T>(-bound)), Batch<T>(bound));
#else
  return xsimd::min(Batch<T>(bound), xsimd::max(Batch<T>(-bound), x));
#endif
}

/// e^-x for |x| < 87, in relative error 9.2e-8 and rounding. e^-x = 2^n · e^-r: the integer n
/// nearest -x·log2(e) is read off the low bits of -x·log2(e) + 1.5·2^23 and added to the result's
/// exponent field; r = x + n·ln 2, where ln 2 is given in two parts whose first has so few bits
/// that its product with n is exact, also without fused multiply-adds (SSE2); |r| <= ln(2)/2 goes
/// through a polynomial of degree 5 (least squares iterated to minimax).
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<float> bounded_exp_minus(Batch<float> x) {
  using B = Batch<float>;
  const B shift(Number<float>::to_integer);
  const B shifted = simd::fma(x, B(-1.4426950216293335f), shift), n = shifted - shift;
  const B r = simd::fma(n, B(-0.00021219444170128554f), simd::fma(n, B(0.693359375f), x));
  B p = simd::fma(B(-0.008289217948913574f), r, B(0.041898176074028015f));
  p = simd::fma(p, r, B(-0.16667653620243073f));
  p = simd::fma(p, r, B(0.4999914765357971f));
  p = simd::fma(p, r, B(-0.9999997019767761f));
  p = simd::fma(p, r, B(1.0f));
  return scaled(p, bit_cast<std::int32_t>(shifted));
}

struct Quotient {
  Batch<float> numerator, denominator;
};
/// tanh x = x·P(x²)/Q(x²) with |x| held at 7.9, where tanh differs from 1 by 2.7e-7; P and Q of
/// degree 4, relative error 5.7e-9 (least squares iterated to minimax).
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Quotient tanh_quotient(Batch<float> x) {
  using B = Batch<float>;
  const B held = clamp(x, 7.9f), t = held * held;
  B p = simd::fma(B(1.5427993105276983e-08f), t, B(2.2023259589332156e-05f));
  p = simd::fma(p, t, B(0.0035789930261671543f));
  p = simd::fma(p, t, B(0.1345062106847763f));
  p = simd::fma(p, t, B(1.0f));
  B q = simd::fma(B(8.598788667768531e-07f), t, B(0.000342365208780393f));
  q = simd::fma(q, t, B(0.02619224227964878f));
  q = simd::fma(q, t, B(0.46783947944641113f));
  q = simd::fma(q, t, B(1.0f));
  return {held * p, q};
}

}  // namespace detail

/// 1 / (1 + e^-x), at most 4 ulp (float: for |x| <= 80; beyond, within 2e-35 of 0 or 1).
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> logistic(Batch<T> x) {
  const Batch<T> one(T{1});
  if constexpr (std::is_same_v<T, float>) {
    return divide(one, one + detail::bounded_exp_minus(detail::clamp(x, 80.0f)));
  } else {
    return divide(one, one + exp(-x));
  }
}

/// Hyperbolic tangent, at most 5 ulp (float: for |x| <= 7.9; beyond, within 5e-7 of ±1), never
/// beyond ±1.
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> tanh(Batch<T> x) {
  if constexpr (std::is_same_v<T, float>) {
    const detail::Quotient q = detail::tanh_quotient(x);
    return divide(q.numerator, q.denominator);
  } else {
    // tanh |x| = u / (u + 2) with u = e^2|x| - 1, which is 2^n · rest + (2^n - 1).
    const Batch<T> zero(T{0}), one(T{1}),
        size = detail::clamp(select(x < zero, zero - x, x), T{20});
    const detail::Exponential<T> e = detail::exponential(size + size);
    const Batch<T> power = detail::scaled(one, e.exponent);
    const Batch<T> u = simd::fma(power, e.rest, power - one), y = divide(u, u + Batch<T>(T{2}));
    return select(x < zero, zero - y, y);
  }
}

/// max(x, 0) that keeps NaN: xsimd::max changes its NaN rule between versions.
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> relu(Batch<T> x) {
  return xsimd::select(x < Batch<T>(T{0}), Batch<T>(T{0}), x);
}

/// ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), which neither overflows nor cancels; at most 4 ulp.
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> softplus(Batch<T> x) {
  const Batch<T> zero(T{0}), one(T{1});
  const auto below = x < zero;
  const Batch<T> e = exp(select(below, x, zero - x)), sum = one + e;
  // What e loses in the sum is put back: a small e is ln(1 + e).
  const Batch<T> log_sum = log(sum) + divide(e - (sum - one), sum);
  return select(below, zero, x) + log_sum;
}

namespace detail {
/// f of one number, in the bits that it has in a vector.
template <class T, class F>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE T of_one(T x, F f) {
  alignas(64) T lane[static_cast<std::size_t>(lanes<T>)];
  f(Batch<T>(x)).store_aligned(lane);
  return lane[0];
}
}  // namespace detail

/// The same of one number. All these have the same bits on every machine with fused multiply-adds,
/// which the functions of <cmath> have not.
template <class T>
requires std::is_floating_point_v<T>
[[nodiscard]] T exp(T x) {
  return detail::of_one(x, [](Batch<T> v) { return exp(v); });
}
template <class T>
requires std::is_floating_point_v<T>
[[nodiscard]] T log(T x) {
  return detail::of_one(x, [](Batch<T> v) { return log(v); });
}
template <class T>
requires std::is_floating_point_v<T>
[[nodiscard]] T logistic(T x) {
  return detail::of_one(x, [](Batch<T> v) { return logistic(v); });
}
template <class T>
requires std::is_floating_point_v<T>
[[nodiscard]] T softplus(T x) {
  return detail::of_one(x, [](Batch<T> v) { return softplus(v); });
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::simd
