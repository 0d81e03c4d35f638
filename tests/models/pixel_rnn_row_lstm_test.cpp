// SPDX-License-Identifier: MIT
#include <map>
#include <string>
#include <vector>

#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/model_proofs.hpp"

using namespace pixelrnn;

namespace {

template <class State, class L = Bernoulli>
using RowRNN = PixelRNN<RowLSTM<State, test::ReferenceBackend>, L>;

/// What sec. 3.1 lets the logits see: 7×7 mask A, then a Row LSTM a layer around its residual.
test::Field row_field_of(const PixelRNNConfig& config) {
  test::Field field =
      test::Field({1, config.image.height, config.image.width, config.image.channels})
          .then(test::convolution_field(7, false));
  for (Index l = 0; l < config.layers; ++l) field = field.then(test::row_lstm_field);
  return field;
}

}  // namespace

TEMPLATE_TEST_CASE("A Row LSTM's logits see the triangle above them, and nothing else",
                   "[models][pixel_rnn][row_lstm]", ZeroState, LearnedState) {
  for (const ImageShape image : {ImageShape{1, 1, 1}, ImageShape{1, 7, 1}, ImageShape{7, 1, 1},
                                 ImageShape{5, 4, 1}, ImageShape{3, 12, 1}}) {
    for (const bool skip : {false, true}) {
      CAPTURE(image, skip);
      const PixelRNNConfig config{
          .image = image, .layers = 1, .hidden = 4, .head = 5, .skip = skip};
      const auto report = test::check_field(test::open_pixel_rnn<RowRNN<TestType>>(config, 3),
                                            row_field_of(config));
      CHECK(report.leak == "");
      CHECK(report.blind == "");
    }
  }
  const PixelRNNConfig config{.image = {3, 4, 3}, .layers = 2, .hidden = 5, .head = 4};
  const auto report = test::check_field(
      test::open_pixel_rnn<RowRNN<TestType, test::Softmax<3>>>(config, 4), row_field_of(config));
  CHECK(report.leak == "");
  CHECK(report.blind == "");
}

TEST_CASE("A triangle that is too small or too large is found out",
          "[models][pixel_rnn][row_lstm]") {
  const PixelRNNConfig config{.image = {3, 12, 1}, .layers = 1, .hidden = 4, .head = 5};
  PixelRNNConfig more = config, less = config;
  more.layers = 2;
  less.layers = 0;
  const auto model = test::open_pixel_rnn<RowRNN<LearnedState>>(config, 3);
  CHECK(test::check_field(model, row_field_of(less)).leak != "");
  CHECK(test::check_field(model, row_field_of(more)).blind != "");
}

TEMPLATE_TEST_CASE("A Row LSTM's probabilities of all images sum to 1",
                   "[models][pixel_rnn][row_lstm]", ZeroState, LearnedState) {
  for (const ImageShape image : {ImageShape{1, 1, 1}, ImageShape{2, 2, 1}, ImageShape{3, 2, 1},
                                 ImageShape{2, 3, 1}, ImageShape{3, 3, 1}, ImageShape{1, 2, 3}}) {
    CAPTURE(image);
    const auto model = test::random_model<RowRNN<TestType>>(
        {.image = image, .layers = 2, .hidden = 4, .head = 5, .skip = true}, 5);
    CHECK(test::total_probability(model) == Approx(1).epsilon(1e-12));
  }
  for (const ImageShape image : {ImageShape{2, 2, 1}, ImageShape{1, 2, 3}, ImageShape{2, 1, 3}}) {
    CAPTURE(image);
    const auto model = test::random_model<RowRNN<TestType, test::Softmax<3>>>(
        {.image = image, .layers = 2, .hidden = 4, .head = 5}, 6);
    CHECK(test::total_probability(model) == Approx(1).epsilon(1e-12));
  }
}

TEMPLATE_TEST_CASE("A Row LSTM model passes the gradient check as a whole",
                   "[models][pixel_rnn][row_lstm]", ZeroState, LearnedState) {
  auto grey = test::random_model<RowRNN<TestType>>(
      {.image = {3, 4, 1}, .layers = 2, .hidden = 3, .head = 4, .skip = true}, 7);
  const GradcheckReport of_grey = test::check_gradients(grey);
  INFO(of_grey.where);
  CHECK(of_grey);
  auto colour = test::random_model<RowRNN<TestType, test::Softmax<3>>>(
      {.image = {2, 3, 3}, .layers = 1, .hidden = 3, .head = 3}, 8);
  const GradcheckReport of_colour = test::check_gradients(colour);
  INFO(of_colour.where);
  CHECK(of_colour);
}

TEST_CASE("A Row LSTM model says what it is", "[models][pixel_rnn][row_lstm]") {
  Rng rng(1);
  const RowRNN<LearnedState> model({.image = {4, 5, 1}, .layers = 2, .hidden = 6, .head = 7}, rng);
  const std::string net =
      "Sequential(MaskedConv2d<A>(1->12, 7x7), Stack(2 of Residual(RowLSTM<learned>(12->6, k 3), "
      "MaskedConv2d<B>(6->12, 1x1))), MaskedConv2d<B>(12->7, 1x1, of max(x, 0)), "
      "MaskedConv2d<B>(7->7, 1x1, of max(x, 0)), MaskedConv2d<B>(7->1, 1x1))";
  CHECK(model.describe() == std::map<std::string, std::string>{{"model", "row_lstm"},
                                                               {"image", "4x5x1"},
                                                               {"likelihood", "bernoulli"},
                                                               {"layers", "2"},
                                                               {"hidden", "6"},
                                                               {"head", "7"},
                                                               {"skip", "false"},
                                                               {"initial_state", "learned"},
                                                               {"encoding", "-1..1"},
                                                               {"net", net}});
  const RowRNN<ZeroState> other({.image = {4, 5, 1}, .layers = 2, .hidden = 6, .head = 7}, rng);
  CHECK(other.describe().at("initial_state") == "zero");
}

TEST_CASE("A Row LSTM model's parameters have names and their number can be counted by hand",
          "[models][pixel_rnn][row_lstm]") {
  Rng rng(1);
  const RowRNN<LearnedState, test::Softmax<3>> model(
      {.image = {4, 5, 3}, .layers = 1, .hidden = 6, .head = 7, .skip = true}, rng);
  CHECK(test::parameter_names(model) ==
        std::vector<std::string>{
            "input.weights", "input.bias", "blocks.0.recurrence.input_weights",
            "blocks.0.recurrence.state_weights", "blocks.0.recurrence.bias",
            "blocks.0.recurrence.h0", "blocks.0.recurrence.c0", "blocks.0.upsample.weights",
            "blocks.0.upsample.bias", "blocks.skip0.weights", "blocks.skip0.bias", "head1.weights",
            "head1.bias", "head2.weights", "head2.bias", "logits.weights", "logits.bias"});
  // Of colour groups of n maps (2 and 2 and 2 of six, 3 and 2 and 2 of seven) each feeds itself and
  // those after it; the first layer's centre only those after it.
  const Index input = 24 * 3 * 12 + 3 * 4 + 12;
  const Index state = 3 * 6 * 24 + 24;
  const Index recurrence = 12 * 24 + 4 * 48 + state + 6 + 6;
  const Index upsample = 48 + 12, skip = 96 + 12;
  const Index head = (52 + 7) + (33 + 7) + (45 + 9);
  CHECK(parameter_count(model) == input + recurrence + upsample + skip + head);
  const RowRNN<ZeroState> zero({.image = {4, 5, 1}, .layers = 3, .hidden = 6, .head = 7}, rng);
  CHECK(parameter_count(zero) == (24 * 12 + 12) + 3 * (2 * 12 * 24 + state + 6 * 12 + 12) +
                                     (12 * 7 + 7) + (7 * 7 + 7) + (7 + 1));
}

TEST_CASE("A Row LSTM model names a size that cannot be", "[models][pixel_rnn][row_lstm]") {
  Rng rng(1);
  const auto make = [&rng](PixelRNNConfig config) { return RowRNN<LearnedState>(config, rng); };
  CHECK_THROWS_ERROR(make({.image = {4, -4, 1}}), ConfigError,
                     "Config::image: image is 4x-4x1 (height x width x channels)");
  CHECK_THROWS_ERROR(make({.image = {4, 4, 1}, .layers = 0}), ConfigError,
                     "model: Config is {layers=0, hidden=16, head=32}, expected 1 or more of each");
  CHECK_THROWS_ERROR(make({.image = {4, 4, 1}, .layers = 1, .hidden = 0}), ConfigError, "hidden=0");
}
