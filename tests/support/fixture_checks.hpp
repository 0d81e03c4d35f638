// SPDX-License-Identifier: MIT
// Layers and models against PyTorch: everything a fixture says about one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include <pixelrnn/models/model.hpp>

#include "support/fixture.hpp"

namespace pixelrnn::test {

/// Everything a fixture of a layer says, against a layer with its parameters: empty, or where they
/// first disagree.
template <class L>
[[nodiscard]] std::string layer_disagreement(const L& layer, Fixture& fixture) {
  using T = typename L::Scalar;
  Gradients gradients(layer);
  Tape<T> tape({.threads = 2});
  const FeatureMap<T> input = fixture.map<T>("input");
  const Variable<T> x = tape.input(input);
  const Variable<T> y = layer.forward(x);
  const FeatureMap<T> output_gradient = fixture.map<T>("output_gradient");
  tape.backward(y, output_gradient, gradients);
  std::string where = disagreement(FeatureMap<T>(y.value()), fixture, "output", Kind::output);
  if (where.empty()) {
    where =
        disagreement(FeatureMap<T>(tape.gradient(x)), fixture, "input_gradient", Kind::gradient);
  }
  return where.empty() ? gradient_disagreement(layer, gradients, fixture) : where;
}

/// A layer with the parameters of the fixture `name` computes what stands there.
template <class L>
void check_layer(const std::string& name, const typename L::Config& config) {
  CAPTURE(name);
  Fixture fixture(name);
  Rng rng(1);
  L layer(config, rng);
  load_parameters(layer, fixture);
  CHECK(layer_disagreement(layer, fixture) == "");
  CHECK(fixture.unread() == "");
}

/// Empty, or where a model with the parameters of a fixture first disagrees with it.
template <class B, class M>
[[nodiscard]] std::string model_disagreement(const M& model, Fixture& fixture) {
  using T = typename M::Scalar;
  const Tensor<std::uint8_t, 4> levels = fixture.map<std::uint8_t>("images");
  Tensor<Images::Level, 4> pixels(levels.shape());
  std::copy(levels.view().begin(), levels.view().end(), pixels.view().begin());
  const Images images(std::move(pixels), 2);
  require_images("model_disagreement", model, images);
  FeatureMap<T> encoded(images.pixels().shape());
  encode(model, images.pixels(), encoded);
  Gradients gradients(model);
  Tape<T> tape({.threads = 2});
  Conditions told;
  if (fixture.has("labels")) {
    for (const std::uint8_t label : fixture.map<std::uint8_t>("labels")) {
      told.labels.push_back(label);
    }
  }
  if (fixture.has("maps")) told.maps = fixture.map<float>("maps");
  const Variable<T> logits = logits_given(model, tape.constant(encoded), told);
  const Variable<T> nats =
      image_nats<typename B::Execution>(model.likelihood(), logits, images.pixels());
  tape.backward(mean(nats), gradients);
  std::string where = disagreement(FeatureMap<T>(logits.value()), fixture, "logits", Kind::output);
  if (where.empty()) {
    where = disagreement(FeatureMap<T>(nats.value()), fixture, "nats", Kind::output);
  }
  return where.empty() ? gradient_disagreement(model, gradients, fixture) : where;
}

/// A model with the parameters of a fixture.
template <class M>
[[nodiscard]] M load(Fixture& fixture, const typename M::Config& config) {
  Rng rng(1);
  M model(config, rng);
  load_parameters(model, fixture);
  return model;
}

/// A model with the parameters of the fixture `name` computes what stands there.
template <class B, class M>
void check_model(const std::string& name, const typename M::Config& config) {
  Fixture fixture(name);
  CHECK(model_disagreement<B>(load<M>(fixture, config), fixture) == "");
  CHECK(fixture.unread() == "");
}

}  // namespace pixelrnn::test
