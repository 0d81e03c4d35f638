// SPDX-License-Identifier: MIT
// Distances in units in the last place.
#pragma once

#include <cmath>
#include <limits>

namespace pixelrnn::test {

/// |got - exact| in units in the last place of the T nearest to `exact`, which must be a normal
/// number. `Wide` is a type of more digits than T.
template <class T, class Wide>
[[nodiscard]] double ulps(T got, Wide exact) {
  static_assert(std::numeric_limits<Wide>::digits > std::numeric_limits<T>::digits);
  int exponent = 0;
  std::frexp(exact, &exponent);  // |exact| is in [2^(exponent - 1), 2^exponent)
  const Wide unit = std::ldexp(Wide{1}, exponent - std::numeric_limits<T>::digits);
  return static_cast<double>(std::abs(static_cast<Wide>(got) - exact) / unit);
}

}  // namespace pixelrnn::test
