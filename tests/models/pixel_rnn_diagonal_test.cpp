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
using DiagonalRNN = PixelRNN<DiagonalBiLSTM<State, test::ReferenceBackend>, L>;

/// What sec. 3.2 lets the logits see: 7×7 mask A, then everything before, layer after layer.
test::Field diagonal_field_of(const PixelRNNConfig& config) {
  test::Field field =
      test::Field({1, config.image.height, config.image.width, config.image.channels})
          .then(test::convolution_field(7, false));
  for (Index l = 0; l < config.layers; ++l) field = field.then(test::diagonal_bilstm_field);
  return field;
}

}  // namespace

TEMPLATE_TEST_CASE("A Diagonal BiLSTM's logits see what its layers let them, and nothing else",
                   "[models][pixel_rnn][diagonal]", ZeroState, LearnedState, PaddedScanState) {
  for (const ImageShape image : {ImageShape{1, 1, 1}, ImageShape{1, 7, 1}, ImageShape{7, 1, 1},
                                 ImageShape{5, 4, 1}, ImageShape{4, 9, 1}}) {
    for (const bool skip : {false, true}) {
      CAPTURE(image, skip);
      const PixelRNNConfig config{
          .image = image, .layers = 1, .hidden = 4, .head = 5, .skip = skip};
      const auto report = test::check_field(test::open_pixel_rnn<DiagonalRNN<TestType>>(config, 3),
                                            diagonal_field_of(config));
      CHECK(report.leak == "");
      CHECK(report.blind == "");
    }
  }
  const PixelRNNConfig config{.image = {3, 4, 3}, .layers = 1, .hidden = 5, .head = 4};
  const auto report =
      test::check_field(test::open_pixel_rnn<DiagonalRNN<TestType, test::Softmax<3>>>(config, 4),
                        diagonal_field_of(config));
  CHECK(report.leak == "");
  CHECK(report.blind == "");
}

TEST_CASE(
    "A Diagonal BiLSTM's logits see every pixel before them, but for the end of the row above",
    "[models][pixel_rnn][diagonal]") {
  // Mask A hides a pixel from its own column and shows it to the next ones. The last of a row has
  // no next one: only the row below sees it, from 3 columns to its left on.
  const Index width = 9;
  const test::Field field = diagonal_field_of({.image = {4, width, 1}, .layers = 3});
  for (Index o = 0; o < 4 * width; ++o) {
    for (Index i = 0; i < 4 * width; ++i) {
      const test::Cell out = test::cell_of(o, {1, 4, width, 1});
      const test::Cell in = test::cell_of(i, {1, 4, width, 1});
      const bool hidden =
          in.column == width - 1 && in.row == out.row - 1 && out.column < width - 1 - 3;
      CAPTURE(out, in);
      CHECK(field.sees(out, in) == (test::is_before(in, out) && !hidden));
    }
  }
}

TEST_CASE("A field that forbids one past colour, or wants one future one, is found out",
          "[models][pixel_rnn][diagonal]") {
  const PixelRNNConfig config{.image = {2, 3, 3}, .layers = 1, .hidden = 5, .head = 4};
  const auto model = test::open_pixel_rnn<DiagonalRNN<LearnedState, test::Softmax<3>>>(config, 4);
  const auto field = diagonal_field_of(config);
  const auto blue = [](const test::Cell& cell) {
    return cell.row == 1 && cell.column == 1 && cell.channel == 2;
  };
  const test::Field less =
      test::Field({1, 2, 3, 3}).then([&](const test::Cell& out, const test::Cell& in) {
        return field.sees(out, in) && !(blue(out) && test::is_same_pixel(out, in));
      });
  const test::Field more =
      test::Field({1, 2, 3, 3}).then([&](const test::Cell& out, const test::Cell& in) {
        return field.sees(out, in) || (blue(out) && blue(in));
      });
  CHECK(test::check_field(model, field).leak == "");
  CHECK(test::check_field(model, less).leak != "");
  CHECK(test::check_field(model, more).blind != "");
}

TEMPLATE_TEST_CASE("A Diagonal BiLSTM's probabilities of all images sum to 1",
                   "[models][pixel_rnn][diagonal]", ZeroState, LearnedState, PaddedScanState) {
  for (const ImageShape image : {ImageShape{1, 1, 1}, ImageShape{2, 2, 1}, ImageShape{3, 2, 1},
                                 ImageShape{2, 3, 1}, ImageShape{3, 3, 1}, ImageShape{1, 2, 3}}) {
    CAPTURE(image);
    const auto model = test::random_model<DiagonalRNN<TestType>>(
        {.image = image, .layers = 2, .hidden = 4, .head = 5, .skip = true}, 5);
    CHECK(test::total_probability(model) == Approx(1).epsilon(1e-12));
  }
  for (const ImageShape image : {ImageShape{2, 2, 1}, ImageShape{1, 2, 3}, ImageShape{2, 1, 3}}) {
    CAPTURE(image);
    const auto model = test::random_model<DiagonalRNN<TestType, test::Softmax<3>>>(
        {.image = image, .layers = 2, .hidden = 4, .head = 5}, 6);
    CHECK(test::total_probability(model) == Approx(1).epsilon(1e-12));
  }
}

TEMPLATE_TEST_CASE("A Diagonal BiLSTM model passes the gradient check as a whole",
                   "[models][pixel_rnn][diagonal]", ZeroState, LearnedState, PaddedScanState) {
  auto grey = test::random_model<DiagonalRNN<TestType>>(
      {.image = {3, 4, 1}, .layers = 2, .hidden = 3, .head = 4, .skip = true}, 7);
  const GradcheckReport of_grey = test::check_gradients(grey);
  INFO(of_grey.where);
  CHECK(of_grey);
  auto colour = test::random_model<DiagonalRNN<TestType, test::Softmax<3>>>(
      {.image = {2, 3, 3}, .layers = 1, .hidden = 3, .head = 3}, 8);
  const GradcheckReport of_colour = test::check_gradients(colour);
  INFO(of_colour.where);
  CHECK(of_colour);
}

TEST_CASE("A Diagonal BiLSTM model says what it is", "[models][pixel_rnn][diagonal]") {
  Rng rng(1);
  const DiagonalRNN<PaddedScanState> model(
      {.image = {4, 5, 1}, .layers = 2, .hidden = 6, .head = 7}, rng);
  const std::string net =
      "Sequential(MaskedConv2d<A>(1->12, 7x7), Stack(2 of Residual(DiagonalBiLSTM<padded_scan>"
      "(12->6), MaskedConv2d<B>(6->12, 1x1))), MaskedConv2d<B>(12->7, 1x1, of max(x, 0)), "
      "MaskedConv2d<B>(7->7, 1x1, of max(x, 0)), MaskedConv2d<B>(7->1, 1x1))";
  CHECK(model.describe() == std::map<std::string, std::string>{{"model", "diagonal_bilstm"},
                                                               {"image", "4x5x1"},
                                                               {"likelihood", "bernoulli"},
                                                               {"layers", "2"},
                                                               {"hidden", "6"},
                                                               {"head", "7"},
                                                               {"skip", "false"},
                                                               {"initial_state", "padded_scan"},
                                                               {"encoding", "-1..1"},
                                                               {"net", net}});
}

TEST_CASE("A Diagonal BiLSTM model's parameters have names and can be counted by hand",
          "[models][pixel_rnn][diagonal]") {
  Rng rng(1);
  const DiagonalRNN<LearnedState, test::Softmax<3>> model(
      {.image = {4, 5, 3}, .layers = 1, .hidden = 6, .head = 7}, rng);
  CHECK(test::parameter_names(model) ==
        std::vector<std::string>{"input.weights",
                                 "input.bias",
                                 "blocks.0.recurrence.left.input_weights",
                                 "blocks.0.recurrence.left.state_weights",
                                 "blocks.0.recurrence.left.bias",
                                 "blocks.0.recurrence.left.h0",
                                 "blocks.0.recurrence.left.c0",
                                 "blocks.0.recurrence.right.input_weights",
                                 "blocks.0.recurrence.right.state_weights",
                                 "blocks.0.recurrence.right.bias",
                                 "blocks.0.recurrence.right.h0",
                                 "blocks.0.recurrence.right.c0",
                                 "blocks.0.upsample.weights",
                                 "blocks.0.upsample.bias",
                                 "head1.weights",
                                 "head1.bias",
                                 "head2.weights",
                                 "head2.bias",
                                 "logits.weights",
                                 "logits.bias"});
  // Of colour groups of n maps (2 and 2 and 2 of six, 3 and 2 and 2 of seven) each feeds itself and
  // those after it; the first layer's centre only those after it.
  const Index state = 2 * 6 * 24 + 24;
  CHECK(parameter_count(model) == (24 * 3 * 12 + 3 * 4 + 12) + 2 * (4 * 48 + state + 6 + 6) +
                                      (48 + 12) + (52 + 7) + (33 + 7) + (45 + 9));
  const DiagonalRNN<PaddedScanState> padded(
      {.image = {4, 5, 1}, .layers = 3, .hidden = 6, .head = 7}, rng);
  CHECK(parameter_count(padded) == (24 * 12 + 12) + 3 * (2 * (12 * 24 + state) + 6 * 12 + 12) +
                                       (12 * 7 + 7) + (7 * 7 + 7) + (7 + 1));
}

TEST_CASE("A Diagonal BiLSTM model names a size that cannot be", "[models][pixel_rnn][diagonal]") {
  Rng rng(1);
  const auto make = [&rng](PixelRNNConfig config) {
    return DiagonalRNN<LearnedState>(config, rng);
  };
  CHECK_THROWS_ERROR(make({.image = {4, 4, 0}}), ConfigError, "Config::image: image is 4x4x0");
  CHECK_THROWS_ERROR(make({.image = {4, 4, 1}, .layers = 1, .hidden = 1, .head = -3}), ConfigError,
                     "model: Config is {layers=1, hidden=1, head=-3}, expected 1 or more of each");
}
