// SPDX-License-Identifier: MIT
// Spatial LSTM, Gated PixelCNN, WaveNet and logistic mixtures against PyTorch, from tests/fixtures.
#include <algorithm>
#include <cstdint>
#include <string>

#include <pixelrnn/likelihood/logistic_mixture.hpp>
#include <pixelrnn/models/gated_pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/models/wave_net.hpp>
#include <pixelrnn/nn/spatial_lstm/spatial_lstm.hpp>

#include "support/backends.hpp"
#include "support/fixture_checks.hpp"

using namespace pixelrnn;
using test::check_layer, test::check_model;

namespace {

/// Where nats of a fixture's images or gradients of its logits are not the mixture's.
template <class T>
std::string mixture_disagreement(const LogisticMixture& mixture, test::Fixture& fixture) {
  const Tensor<std::uint8_t, 4> levels = fixture.map<std::uint8_t>("images");
  Tensor<Images::Level, 4> pixels(levels.shape());
  std::copy(levels.view().begin(), levels.view().end(), pixels.view().begin());
  const Images images(std::move(pixels), mixture.levels());
  const FeatureMap<T> logits = fixture.map<T>("logits");
  Tape<T> tape;
  const Variable<T> z = tape.input(logits);
  const Variable<T> nats = image_nats<execution::OpenMP>(mixture, z, images.pixels());
  tape.backward(sum(nats));
  const std::string where =
      disagreement(FeatureMap<T>(nats.value()), fixture, "nats", test::Kind::output);
  return where.empty() ? disagreement(FeatureMap<T>(tape.gradient(z)), fixture, "logits_gradient",
                                      test::Kind::gradient)
                       : where;
}

}  // namespace

TEMPLATE_TEST_CASE("Spatial LSTM is that of PyTorch", "[io][torch]", test::XsimdBackend,
                   test::FloatXsimdBackend) {
  check_layer<SpatialLSTM<TestType>>("spatial_lstm", {.in_channels = 2, .hidden = 3});
  check_layer<SpatialLSTM<TestType>>("spatial_lstm_rgb",
                                     {.in_channels = 4, .hidden = 3, .colours = 3});
  check_model<TestType, PixelRNN<SpatialLSTM<TestType>>>(
      "pixel_rnn_spatial_lstm", {.image = {4, 5, 1}, .layers = 2, .hidden = 3, .head = 4});
}

TEMPLATE_TEST_CASE("Gated PixelCNN is that of PyTorch", "[io][torch]", test::XsimdBackend,
                   test::FloatXsimdBackend) {
  check_model<TestType, GatedPixelCNN<Bernoulli, TestType>>(
      "gated_pixel_cnn", {.image = {4, 5, 1}, .layers = 3, .hidden = 3, .head = 4});
  check_model<TestType, GatedPixelCNN<Bernoulli, TestType>>("gated_pixel_cnn_dilated",
                                                            {.image = {4, 5, 1},
                                                             .layers = 4,
                                                             .hidden = 3,
                                                             .head = 0,
                                                             .first_kernel = 3,
                                                             .dilations = {1, 2},
                                                             .first_gated = false,
                                                             .head_elu = true});
  check_model<TestType, GatedPixelCNN<Bernoulli, TestType>>(
      "gated_pixel_cnn_rgb", {.image = {4, 5, 3}, .layers = 2, .hidden = 3, .head = 4});
}

TEMPLATE_TEST_CASE("WaveNet is that of PyTorch", "[io][torch]", test::XsimdBackend,
                   test::FloatXsimdBackend) {
  check_model<TestType, WaveNet<Bernoulli, TestType>>(
      "wave_net",
      {.image = {1, 17, 1}, .layers = 4, .hidden = 3, .head = 4, .kernel = 3, .cycle = 3});
  check_model<TestType, WaveNet<Bernoulli, TestType>>(
      "wave_net_stereo",
      {.image = {1, 11, 2}, .layers = 3, .hidden = 4, .head = 4, .kernel = 2, .cycle = 2});
}

TEMPLATE_TEST_CASE("Logistic mixtures are those of PyTorch", "[io][torch]", double, float) {
  test::Fixture grey("logistic_mixture"), rgb("logistic_mixture_rgb");
  CHECK(mixture_disagreement<TestType>(LogisticMixture(16, 5), grey) == "");
  CHECK(mixture_disagreement<TestType>(LogisticMixture(16, 3), rgb) == "");
  CHECK(grey.unread() == "");
  CHECK(rgb.unread() == "");
}

TEST_CASE("The comparison with PyTorch reports another layer and another mixture", "[io][torch]") {
  // Swapped left and above.
  test::Fixture fixture("spatial_lstm");
  Rng rng(1);
  SpatialLSTM<test::XsimdBackend> layer({.in_channels = 2, .hidden = 3}, rng);
  test::load_parameters(layer, fixture);
  for (const auto& [name, parameter] : parameters(layer)) {
    if (name != "state_weights") continue;
    const FeatureView<double> k = parameter->value();
    std::swap_ranges(k.begin(), k.begin() + k.size() / 2, k.begin() + k.size() / 2);
  }
  CHECK(test::layer_disagreement(layer, fixture) != "");
  test::Fixture grey("logistic_mixture");
  CHECK(mixture_disagreement<double>(LogisticMixture(17, 5), grey) != "");
}
