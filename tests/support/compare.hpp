// SPDX-License-Identifier: MIT
// Comparing maps: empty text if they agree, else where they first do not and what stands there.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <sstream>
#include <string>

#include <pixelrnn/core/tensor.hpp>

namespace pixelrnn::test {

namespace detail {

/// The first place where differs(a, b), as text.
template <class A, class B, class Differs>
[[nodiscard]] std::string first_difference(FeatureView<const A> a, FeatureView<const B> b,
                                           Differs differs) {
  std::ostringstream out;
  out.precision(std::numeric_limits<double>::max_digits10);
  if (a.shape() != b.shape()) {
    out << "shapes " << a.shape() << " and " << b.shape();
    return out.str();
  }
  const Shape<4>& s = a.shape();
  for (Index i = 0; i < a.size(); ++i) {
    if (!differs(a.data()[i], b.data()[i])) continue;
    const Index pixel = i / s.c();
    out << "at "
        << Shape<4>{pixel / (s.h() * s.w()), pixel / s.w() % s.h(), pixel % s.w(), i % s.c()}
        << ": " << +a.data()[i] << " and " << +b.data()[i];
    return out.str();
  }
  return {};
}

}  // namespace detail

/// Whether two numbers have the same bits: tells 0 from -0, and knows NaN.
template <class T>
[[nodiscard]] bool same_bits(T a, T b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

/// Where two maps first differ in a bit.
template <class T>
[[nodiscard]] std::string bit_difference(const FeatureMap<T>& a, const FeatureMap<T>& b) {
  return detail::first_difference<T, T>(a, b, [](T x, T y) { return !same_bits(x, y); });
}

/// Where two maps first differ by more than absolute + relative · |b|; NaN agrees with nothing.
template <class A, class B>
[[nodiscard]] std::string difference(const FeatureMap<A>& a, const FeatureMap<B>& b,
                                     double absolute, double relative = 0) {
  return detail::first_difference<A, B>(a, b, [&](A x, B y) {
    const double from = static_cast<double>(y);
    return !(std::abs(static_cast<double>(x) - from) <= absolute + relative * std::abs(from));
  });
}

}  // namespace pixelrnn::test
