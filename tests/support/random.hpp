// SPDX-License-Identifier: MIT
// Random maps, and layers whose every parameter is random.
#pragma once

#include <cstdint>

#include <pixelrnn/autodiff/parameter.hpp>
#include <pixelrnn/core/random.hpp>

namespace pixelrnn::test {

/// A map of numbers uniform in [low, high).
template <class T>
[[nodiscard]] FeatureMap<T> random_map(Shape<4> shape, std::uint64_t seed, double low = -1,
                                       double high = 1) {
  FeatureMap<T> map(shape);
  Rng rng(seed);
  for (T& v : map) v = static_cast<T>(rng.uniform(low, high));
  return map;
}

/// Sets every parameter of a layer to numbers uniform in ±bound: weights, biases and initial
/// states, and also what a mask forbids, so that a layer which looks there is found out. Equal
/// seeds give layers of equal shapes equal values, whatever their scalar.
template <class Layer>
void randomise(Layer& layer, std::uint64_t seed, double bound = 1) {
  Rng rng(seed);
  for (const auto& [name, parameter] : parameters(layer)) {
    for (auto& v : parameter->value()) {
      v = static_cast<typename Layer::Scalar>(rng.uniform(-bound, bound));
    }
  }
}

/// Values of all parameters, those that a mask forbids included.
template <class Owner>
[[nodiscard]] Index value_count(const Owner& owner) {
  Index count = 0;
  for (const auto& [name, parameter] : parameters(owner)) count += parameter->size();
  return count;
}

}  // namespace pixelrnn::test
