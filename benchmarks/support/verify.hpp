// SPDX-License-Identifier: MIT
// A fast wrong kernel is not a result: every benchmark is held to the reference before it is timed.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "support/cases.hpp"

namespace pixelrnn::bench {

/// Largest difference relative to the largest value; infinite if a value is not finite or the sizes
/// differ.
template <class A, class B>
[[nodiscard]] double relative_error(const A& a, const B& b) {
  const double infinity = std::numeric_limits<double>::infinity();
  if (a.size() != b.size()) return infinity;
  double error = 0, scale = 0;
  for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y) {
    if (!std::isfinite(*x) || !std::isfinite(*y)) return infinity;
    error = std::max(error, static_cast<double>(std::abs(*x - *y)));
    scale = std::max(scale, static_cast<double>(std::abs(*y)));
  }
  return scale > 0 ? error / scale : error;
}

/// What rounding may do to a net's outputs and gradients in float.
inline constexpr double tolerance = 1e-4;

/// The size at which the plain loops of Reference take about a second: the real one if they do,
/// else the largest map of the same proportions that allows it. Widths, layers and weights stay.
[[nodiscard]] inline Shape<4> affordable(Shape<4> map, double flop_per_pixel) {
  constexpr double budget = 4e8;
  map[0] = std::min<Index>(map[0], 3);
  const auto flop = [&] { return static_cast<double>(map[0] * map[1] * map[2]) * flop_per_pixel; };
  while (flop() > budget && map[1] > 3 && map[2] > 3) --map[1], --map[2];
  return map;
}

/// Output and all gradients of Σ weight ⊙ y for a layer or net, by name.
template <class L>
[[nodiscard]] std::map<std::string, FeatureMap<float>> everything(const L& layer,
                                                                  const FeatureMap<float>& x) {
  std::map<std::string, FeatureMap<float>> found;
  Gradients gradients(layer);
  Tape<float> tape({.threads = 2});
  const Variable<float> in = tape.input(x), y = layer.forward(in);
  found["output"] = FeatureMap<float>(y.value());
  tape.backward(y, noise_map(y.shape(), 8), gradients);
  found["input gradient"] = FeatureMap<float>(tape.gradient(in));
  for (const auto& [name, parameter] : parameters(layer)) {
    found[name] = FeatureMap<float>(std::as_const(gradients)[*parameter]);
  }
  return found;
}

/// What differs between a layer and the same layer on the reference kernels, made with the same
/// weights, in output or gradients; empty if nothing does. `shape` is that of a real input.
template <class L, class R>
[[nodiscard]] std::string difference(const L& layer, const R& reference, Shape<4> shape) {
  const auto all = flops(layer, shape.h(), shape.w());
  const double pixels = static_cast<double>(shape.h() * shape.w());
  const FeatureMap<float> x = noise_map(affordable(shape, 3 * static_cast<double>(all) / pixels));
  const auto ours = everything(layer, x), expected = everything(reference, x);
  for (const auto& [name, values] : expected) {
    const double error = relative_error(ours.at(name), values);
    if (!(error <= tolerance)) {
      return "differs from Reference by " + std::to_string(error) + " in " + name;
    }
  }
  return {};
}

/// The verdict on one benchmark, worked out at its first call: a benchmark is called several times
/// to find its number of iterations.
template <class Work>
[[nodiscard]] const std::string& once(const std::string& name, Work work) {
  static std::map<std::string, std::string> verdicts;
  const auto known = verdicts.find(name);
  return known != verdicts.end() ? known->second : verdicts.emplace(name, work()).first->second;
}

}  // namespace pixelrnn::bench
