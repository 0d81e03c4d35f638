// SPDX-License-Identifier: MIT
// Models that are told something against PyTorch, from tests/fixtures.
#include <string>

#include <pixelrnn/models/gated_pixel_cnn.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/models/wave_net.hpp>

#include "support/backends.hpp"
#include "support/fixture_checks.hpp"

using namespace pixelrnn;
using test::check_model;

namespace {
constexpr ImageShape image{4, 5, 1};
constexpr Condition three_classes{.classes = 3, .channels = 2}, two_maps{.channels = 2},
    network{.channels = 2, .features = 3};
}  // namespace

TEMPLATE_TEST_CASE("PixelCNN and Gated PixelCNN that are told a class are those of PyTorch",
                   "[io][torch]", test::XsimdBackend, test::FloatXsimdBackend) {
  check_model<TestType, PixelCNN<Bernoulli, TestType>>(
      "told_pixel_cnn",
      {.image = image, .layers = 2, .hidden = 3, .head = 4, .condition = three_classes});
  check_model<TestType, GatedPixelCNN<Bernoulli, TestType>>(
      "told_gated_pixel_cnn",
      {.image = image, .layers = 2, .hidden = 3, .head = 4, .condition = three_classes});
}

TEMPLATE_TEST_CASE("Row LSTM and WaveNet that are told a map are those of PyTorch", "[io][torch]",
                   test::XsimdBackend, test::FloatXsimdBackend) {
  check_model<TestType, PixelRNN<RowLSTM<LearnedState, TestType>>>(
      "told_row_lstm",
      {.image = image, .layers = 2, .hidden = 3, .head = 4, .condition = two_maps});
  check_model<TestType, WaveNet<Bernoulli, TestType>>("told_wave_net", {.image = {1, 13, 1},
                                                                        .layers = 3,
                                                                        .hidden = 3,
                                                                        .head = 4,
                                                                        .kernel = 2,
                                                                        .cycle = 2,
                                                                        .condition = two_maps});
}

TEMPLATE_TEST_CASE("The large model of a multi-scale pair is that of PyTorch", "[io][torch]",
                   test::XsimdBackend, test::FloatXsimdBackend) {
  check_model<TestType, PixelRNN<DiagonalBiLSTM<LearnedState, TestType>>>(
      "told_diagonal_bilstm",
      {.image = image, .layers = 2, .hidden = 3, .head = 4, .condition = network});
}

TEST_CASE("The comparison with PyTorch reports what is told otherwise", "[io][torch]") {
  test::Fixture fixture("told_pixel_cnn");
  auto model = test::load<PixelCNN<Bernoulli, test::XsimdBackend>>(
      fixture, {.image = image, .layers = 2, .hidden = 3, .head = 4, .condition = three_classes});
  CHECK(test::model_disagreement<test::XsimdBackend>(model, fixture) == "");
  for (const auto& [name, parameter] : parameters(model)) {
    if (name == "condition.labels.table") parameter->value()(0, 0, 2, 1) += 1e-7;
  }
  CHECK(test::model_disagreement<test::XsimdBackend>(model, fixture) != "");
}
