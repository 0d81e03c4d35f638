// SPDX-License-Identifier: MIT
// exp and log by polynomials of our own: the same bits wherever there are fused multiply-adds.
#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include <pixelrnn/simd/batch.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::simd {

namespace detail {

/// How T is laid out in bits, and the constants of exp and log in T. Polynomials are minimax in
/// relative error (Remez exchange): exp's within 3e-9 and 4e-18, log's 9e-10 and 2e-18.
template <class T>
struct Number;
template <>
struct Number<float> {
  using Signed = std::int32_t;
  using Unsigned = std::uint32_t;
  static constexpr int mantissa_bits = 23;
  static constexpr Unsigned exponent_of_one = 127;
  static constexpr Unsigned bits_of_half_root = 0x3f3504f3;  ///< √½
  static constexpr float to_integer = 0x1.8p23F;  ///< x + this has round(x) in its low bits
  static constexpr float log2_e = 1.44269504F;
  /// ln 2 in two parts, of which the first has so few bits that its product with an exponent is
  /// exact, also without fused multiply-adds (SSE2).
  static constexpr float ln2_high = 0.693359375F, ln2_low = -0.00021219444F;
  /// e^x is a normal number between these.
  static constexpr float least_exponent = -87.33654F, largest_exponent = 88.72284F;
  static constexpr float exp[] = {0.0013814598F, 0.008368717F, 0.04166839F, 0.16666521F,
                                  0.49999994F};
  static constexpr float log[] = {0.29873073F, 0.39977497F, 0.66666776F};
};
template <>
struct Number<double> {
  using Signed = std::int64_t;
  using Unsigned = std::uint64_t;
  static constexpr int mantissa_bits = 52;
  static constexpr Unsigned exponent_of_one = 1023;
  static constexpr Unsigned bits_of_half_root = 0x3fe6a09e667f3bcd;
  static constexpr double to_integer = 0x1.8p52;
  static constexpr double log2_e = 1.4426950408889634;
  static constexpr double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;
  static constexpr double least_exponent = -708.39641853226408,
                          largest_exponent = 709.78271289338397;
  static constexpr double exp[] = {2.5000058318903707e-08, 2.7630248463652823e-07,
                                   2.7557586386765752e-06, 2.4801493098700975e-05,
                                   0.00019841269506560774, 0.0013888888943630264,
                                   0.008333333333494472,   0.041666666666530155,
                                   0.16666666666666413,    0.5000000000000011};
  static constexpr double log[] = {0.147975074591232,   0.1531390327564232, 0.18183569738561328,
                                   0.22222198476009952, 0.2857142874326251, 0.3999999999941109,
                                   0.6666666666666735};
};

/// c[0]·x^n + ... + c[n].
template <class T, std::size_t N>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> polynomial(const T (&c)[N], Batch<T> x) {
  Batch<T> sum(c[0]);
  for (std::size_t i = 1; i < N; ++i) sum = simd::fma(sum, x, Batch<T>(c[i]));
  return sum;
}

/// e^x = 2^n · (1 + rest): n is the integer nearest x/ln 2, and |x - n·ln 2| <= ln(2)/2 goes
/// through a polynomial. For x of a normal e^x; other x give no sense and no trap.
template <class T>
struct Exponential {
  Batch<typename Number<T>::Signed> exponent;  ///< n, in its low bits
  Batch<T> rest;
};
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Exponential<T> exponential(Batch<T> x) {
  using N = Number<T>;
  const Batch<T> shifted = simd::fma(x, Batch<T>(N::log2_e), Batch<T>(N::to_integer));
  const Batch<T> n = shifted - Batch<T>(N::to_integer);
  const Batch<T> r = simd::fma(n, Batch<T>(-N::ln2_low), simd::fma(n, Batch<T>(-N::ln2_high), x));
  return {bit_cast<typename N::Signed>(shifted), simd::fma(r * r, polynomial(N::exp, r), r)};
}
/// x · 2^n, if that is a normal number.
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> scaled(Batch<T> x,
                                                     Batch<typename Number<T>::Signed> n) {
  using N = Number<T>;
  return bit_cast<T>(bit_cast<typename N::Signed>(x) + (n << N::mantissa_bits));
}

}  // namespace detail

/// e^x, at most 2 ulp where it is a normal number. Smaller results are 0 or denormal; above 1/√2 of
/// the largest number they may be infinite.
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> exp(Batch<T> x) {
  using N = detail::Number<T>;
  const detail::Exponential<T> e = detail::exponential(x);
  const Batch<T> y = detail::scaled(Batch<T>(T{1}) + e.rest, e.exponent);
  const Batch<T> not_small = select(x < Batch<T>(N::least_exponent), Batch<T>(T{0}), y);
  const Batch<T> infinity(std::numeric_limits<T>::infinity());
  return select(x <= Batch<T>(N::largest_exponent), not_small, select(x == x, infinity, x));
}

/// ln x, at most 2 ulp; -infinity of 0, NaN below.
///
/// x = 2^n · (1 + f) with √½ <= 1 + f < √2, and with s = f / (2 + f):
///   ln(1 + f) = 2 atanh s = f - f²/2 + s·(f²/2 + s²·R(s²)),
/// so that the largest part of a small result is exact (the scheme of Sun's fdlibm).
template <class T>
[[nodiscard]] PIXELRNN_ALWAYS_INLINE Batch<T> log(Batch<T> x) {
  using N = detail::Number<T>;
  using B = Batch<T>;
  using U = typename N::Unsigned;
  // Denormal numbers are made normal first.
  constexpr int digits = N::mantissa_bits + 1;
  const auto is_small = x < B(std::numeric_limits<T>::min());
  const B normal = select(is_small, x * B(static_cast<T>(U{1} << digits)), x);
  // The exponent counts from √½: its field of this sum is n + exponent_of_one.
  constexpr U one = N::exponent_of_one << N::mantissa_bits;
  constexpr U mantissa = (U{1} << N::mantissa_bits) - 1;
  const Batch<U> bits = bit_cast<U>(normal) + Batch<U>(one - N::bits_of_half_root);
  const B f = bit_cast<T>((bits & Batch<U>(mantissa)) + Batch<U>(N::bits_of_half_root)) - B(T{1});
  // As the low bits of 2^mantissa_bits a whole number is a number.
  constexpr T whole = static_cast<T>(U{1} << N::mantissa_bits);
  constexpr U bits_of_whole = (N::exponent_of_one + U{N::mantissa_bits}) << N::mantissa_bits;
  const B biased = bit_cast<T>((bits >> N::mantissa_bits) | Batch<U>(bits_of_whole));
  const B n = biased - B(whole + static_cast<T>(N::exponent_of_one)) -
              select(is_small, B(static_cast<T>(digits)), B(T{0}));

  const B s = divide(f, B(T{2}) + f), t = s * s, half = f * B(T(0.5));
  const B inner = s * simd::fma(t, detail::polynomial(N::log, t), half * f);
  const B low = simd::fma(n, B(N::ln2_low), inner);
  const B y = simd::fma(n, B(N::ln2_high), f + simd::fma(B(T{0}) - half, f, low));

  constexpr T infinity = std::numeric_limits<T>::infinity();
  const B below = select(x == B(T{0}), B(-infinity), B(std::numeric_limits<T>::quiet_NaN()));
  return select(x > B(T{0}), select(x == B(infinity), x, y), below);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::simd
