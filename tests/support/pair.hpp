// SPDX-License-Identifier: MIT
// The smallest model an optimiser can be tried on.
#pragma once

#include <pixelrnn/autodiff/parameter.hpp>

namespace pixelrnn::test {

/// Two parameters of a user's model, as in the fixtures of optimisers.
template <class T>
struct Pair {
  using Scalar = T;
  Parameter<T> a{Shape<4>{1, 1, 2, 3}}, b{Shape<4>{1, 1, 1, 2}};
  void for_each_parameter(auto&& visit) { visit("a", a), visit("b", b); }
};

}  // namespace pixelrnn::test
