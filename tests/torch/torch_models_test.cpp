// SPDX-License-Identifier: MIT
// Models of convolutions and of Row LSTMs against PyTorch, from tests/fixtures.
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>

#include "support/backends.hpp"
#include "support/fixture_checks.hpp"

using namespace pixelrnn;
using test::check_model;

TEMPLATE_TEST_CASE("PixelCNN is that of PyTorch", "[io][torch]", test::XsimdBackend,
                   test::FloatXsimdBackend) {
  check_model<TestType, PixelCNN<Bernoulli, TestType>>(
      "pixel_cnn", {.image = {4, 5, 1}, .layers = 2, .hidden = 3, .head = 4});
}

TEMPLATE_TEST_CASE("PixelRNN of Row LSTMs on colour images is that of PyTorch", "[io][torch]",
                   test::XsimdBackend, test::FloatXsimdBackend) {
  check_model<TestType, PixelRNN<RowLSTM<LearnedState, TestType>>>(
      "pixel_rnn_row_lstm_rgb", {.image = {4, 5, 3}, .layers = 2, .hidden = 3, .head = 4});
}

TEST_CASE("The comparison of models with PyTorch reports one weight that is not the same",
          "[io][torch]") {
  test::Fixture fixture("pixel_cnn");
  auto model = test::load<PixelCNN<Bernoulli, test::XsimdBackend>>(
      fixture, {.image = {4, 5, 1}, .layers = 2, .hidden = 3, .head = 4});
  CHECK(test::model_disagreement<test::XsimdBackend>(model, fixture) == "");
  for (const auto& [name, parameter] : parameters(model)) {
    if (name == "logits.bias") parameter->value()(0, 0, 0, 0) += 1e-7;
  }
  CHECK(test::model_disagreement<test::XsimdBackend>(model, fixture) != "");
}
