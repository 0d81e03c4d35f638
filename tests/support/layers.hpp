// SPDX-License-Identifier: MIT
// Running a layer in each of its ways: forward, backward, and the walk.
#pragma once

#include <map>
#include <string>
#include <utility>

#include <pixelrnn/nn/layer.hpp>

#include "support/compare.hpp"
#include "support/random.hpp"

namespace pixelrnn::test {

/// The layer's output for x.
template <class L>
[[nodiscard]] FeatureMap<typename L::Scalar> output(const L& layer,
                                                    const FeatureMap<typename L::Scalar>& x,
                                                    TapeOptions options = {.threads = 2,
                                                                           .record = false}) {
  Tape<typename L::Scalar> tape(options);
  return FeatureMap<typename L::Scalar>(layer.forward(tape.input(x)).value());
}

/// Everything one backward sweep gives.
template <class T>
struct AllGradients {
  FeatureMap<T> x;
  std::map<std::string, FeatureMap<T>> parameters;
};

/// The gradients of Σ weight ⊙ y, with weights fixed by `seed`.
template <class L>
[[nodiscard]] AllGradients<typename L::Scalar> gradients(const L& layer,
                                                         const FeatureMap<typename L::Scalar>& x,
                                                         int threads = 2, std::uint64_t seed = 77) {
  using T = typename L::Scalar;
  Gradients of_parameters(layer);
  Tape<T> tape({.threads = threads});
  const Variable<T> in = tape.input(x);
  const Variable<T> y = layer.forward(in);
  tape.backward(y, random_map<T>(y.shape(), seed), of_parameters);
  AllGradients<T> found{FeatureMap<T>(tape.gradient(in)), {}};
  for (const auto& [name, parameter] : parameters(layer)) {
    found.parameters[name] = FeatureMap<T>(std::as_const(of_parameters)[*parameter]);
  }
  return found;
}

/// Where two sets of gradients first differ in a bit.
template <class T>
[[nodiscard]] std::string bit_difference(const AllGradients<T>& a, const AllGradients<T>& b) {
  if (const std::string where = bit_difference(a.x, b.x); !where.empty()) return "x " + where;
  for (const auto& [name, gradient] : a.parameters) {
    const std::string where = bit_difference(gradient, b.parameters.at(name));
    if (!where.empty()) return name + ' ' + where;
  }
  return {};
}

/// Where two sets of gradients first differ by more than absolute + relative · |b|.
template <class T>
[[nodiscard]] std::string difference(const AllGradients<T>& a, const AllGradients<T>& b,
                                     double absolute, double relative) {
  if (const std::string where = difference(a.x, b.x, absolute, relative); !where.empty()) {
    return "x " + where;
  }
  for (const auto& [name, gradient] : a.parameters) {
    const std::string where = difference(gradient, b.parameters.at(name), absolute, relative);
    if (!where.empty()) return name + ' ' + where;
  }
  return {};
}

/// How often a walk steps each pixel before it moves on.
enum class Visits { once, thrice };

/// The layer's output for x by its incremental walk. With Visits::thrice every pixel is first
/// stepped with two other values, as a sampler does for the colours. The images may be told
/// something.
template <class L>
[[nodiscard]] FeatureMap<typename L::Scalar> walk(const L& layer,
                                                  const FeatureMap<typename L::Scalar>& x,
                                                  Visits visits = Visits::once,
                                                  FeatureView<const typename L::Scalar> told = {}) {
  using T = typename L::Scalar;
  const Shape<4> s = x.shape();
  FeatureMap<T> y(layer.output_shape(s));
  const Index out = y.shape().c();
  auto cache = layer.make_cache(
      {.batch = s.n(), .height = s.h(), .width = s.w(), .channels = s.c(), .condition = told});
  FeatureMap<T> other_y({1, 1, s.n(), out});
  for (Index r = 0; r < s.h(); ++r) {
    for (Index j = 0; j < s.w(); ++j) {
      if (visits == Visits::thrice) {
        for (std::uint64_t visit = 0; visit < 2; ++visit) {
          const auto other =
              random_map<T>({1, 1, s.n(), s.c()}, visit + static_cast<std::uint64_t>(r), -5, 5);
          layer.step(cache, r, j, as_rows(other.view()), as_rows(other_y.view()));
        }
      }
      // One pixel of every image, where it lies.
      const Index pixel = r * s.w() + j, pixels = s.h() * s.w();
      layer.step(cache, r, j,
                 MatrixView<const T>{x.data() + pixel * s.c(), s.n(), s.c(), pixels * s.c()},
                 MatrixView<T>{y.data() + pixel * out, s.n(), out, pixels * out});
    }
    layer.end_row(cache, r);
  }
  return y;
}

}  // namespace pixelrnn::test
