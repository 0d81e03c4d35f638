// SPDX-License-Identifier: MIT
// Forward, and forward with backward, of one layer on one feature map.
#pragma once

#include <vector>

#include "support/report.hpp"
#include "support/verify.hpp"

namespace pixelrnn::bench {

/// Times Layer<K> made by make(kernels), a factory of the layer on any kernels, on maps of `shape`.
/// Reference is not held to itself.
template <class K, class Make>
void layer_forward(benchmark::State& state, const std::string& name, Make make, Shape<4> shape,
                   int threads, bool backward) {
  const auto layer = make(K{});
  const std::string& wrong = once(
      name, [&]() -> std::string { return difference(layer, make(kernels::Reference{}), shape); });
  if (!wrong.empty()) return state.SkipWithError(wrong.c_str());

  const FeatureMap<float> x = noise_map(shape), dy = noise_map(layer.output_shape(shape), 8);
  Tape<float> tape({.threads = threads, .record = backward});
  Gradients gradients(layer);
  for (auto _ : state) {
    tape.reset();
    const Variable<float> y = layer.forward(tape.input(x));
    if (backward) tape.backward(y, dy, gradients);
    benchmark::DoNotOptimize(y.value().data());
  }
  const double pixels = static_cast<double>(shape.n() * shape.h() * shape.w());
  const double flop =
      static_cast<double>(shape.n() * flops(layer, shape.h(), shape.w())) * (backward ? 3 : 1);
  report(state,
         {.flop = flop,
          .images = static_cast<double>(shape.n()),
          .pixels = pixels,
          .bytes = flop > 0 ? 0 : pixels * 4 * static_cast<double>(shape.c()) * (backward ? 5 : 2)},
         threads);
}

/// Registers a layer at a case, with all kernels that can be waited for, one thread and two.
template <class Make>
void add_layer(const std::string& what, const Case& c, Index channels, Make make) {
  const Shape<4> shape{c.batch, c.image.height, c.image.width, channels};
  const auto with = [=]<class K>(K) {
    for (const int threads : {1, 2}) {
      for (const bool backward : {false, true}) {
        const std::string name = join(what, backward ? "forward_backward" : "forward", c.name,
                                      K::name, threads_name(threads));
        add(name, [=](benchmark::State& state) {
          layer_forward<K>(state, join(what, c.name, K::name), make, shape, threads, backward);
        });
      }
    }
  };
  with(kernels::Xsimd{});
  with(kernels::Eigen{});
  if (c.hidden <= 16) with(kernels::Reference{});
}

/// The sizes of layers: those of the models. Inside, the colour case has the shapes of the grey
/// one. One single image cannot be shared out among threads, only its rows.
inline const std::vector<Case> layer_cases = [] {
  std::vector<Case> cases(mnist_cases.begin(), mnist_cases.end());
  cases.push_back(cifar_cases[0]);
  Case narrow = mnist_cases[0], wide = cifar_cases[0];
  narrow.name = "mnist_h16_single", narrow.batch = 1;
  wide.name = "cifar_grey_single", wide.batch = 1;
  cases.insert(cases.end(), {narrow, wide});
  return cases;
}();

}  // namespace pixelrnn::bench
