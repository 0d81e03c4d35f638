// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>

#include "support/row_lstm_cases.hpp"

using namespace pixelrnn;
using test::random_map, test::RowLSTMCase, test::With;
namespace naive = test::naive;

TEMPLATE_TEST_CASE("Row LSTM is equation 3 of the paper", "[nn][row_lstm]",
                   (With<ZeroState, test::ReferenceBackend>),
                   (With<LearnedState, test::ReferenceBackend>),
                   (With<ZeroState, test::EigenBackend>), (With<LearnedState, test::EigenBackend>),
                   (With<ZeroState, test::XsimdBackend>), (With<LearnedState, test::XsimdBackend>),
                   (With<LearnedState, test::PairBackend>)) {
  for (const RowLSTMCase& c : test::row_lstm_cases) {
    const auto layer = test::make_row_lstm<typename TestType::State, typename TestType::Backend>(c);
    for (const Shape<3>& map : test::maps) {
      CAPTURE(c, map);
      const auto x = random_map<double>(test::with_channels(map, c.in_channels), 2);
      CHECK(test::difference(test::output(layer, x),
                             naive::row_lstm(x, naive::weights_of(layer), c.colours),
                             test::rounding<double>) == "");
      test::check_walk_is_forward<typename TestType::Backend>(layer, x);
    }
  }
}

TEMPLATE_TEST_CASE("Row LSTM: an image's bits do not depend on its batch", "[nn][row_lstm]",
                   test::ReferenceBackend, test::XsimdBackend, test::PairBackend) {
  for (const RowLSTMCase& c : test::row_lstm_cases) {
    test::check_images_do_not_depend_on_each_other(test::make_row_lstm<LearnedState, TestType>(c),
                                                   random_map<double>({7, 5, 4, c.in_channels}, 3));
  }
}

TEST_CASE("Row LSTM: learned initial states that are zero are ZeroState", "[nn][row_lstm]") {
  const RowLSTMCase c{2, 3, 3, 1};
  auto learned = test::make_row_lstm<LearnedState, test::XsimdBackend>(c);
  const auto zero = test::make_row_lstm<ZeroState, test::XsimdBackend>(c);
  const auto x = random_map<double>({2, 4, 5, 2}, 2);
  CHECK(test::difference(test::output(learned, x), test::output(zero, x), 1e-3) != "");
  for (const auto& [name, parameter] : parameters(learned)) {
    if (name == "h0" || name == "c0") {
      for (double& v : parameter->value()) v = 0;
    }
  }
  CHECK(test::bit_difference(test::output(learned, x), test::output(zero, x)) == "");
}

TEMPLATE_TEST_CASE("Row LSTM: NaN in a pixel reaches exactly the pixels that see it",
                   "[nn][row_lstm]", test::XsimdBackend, test::PairBackend) {
  const auto layer = test::make_row_lstm<ZeroState, TestType>({2, 3, 3, 1});
  auto x = random_map<double>({2, 4, 10, 2}, 1);
  x(1, 1, 4, 0) = std::numeric_limits<double>::quiet_NaN();
  const auto y = test::output(layer, x);
  for (Index n = 0; n < 2; ++n) {
    for (Index r = 0; r < 4; ++r) {
      for (Index j = 0; j < 10; ++j) {
        const Index down = r - 1;
        const bool sees = n == 1 && down >= 0 && j >= 4 - down && j <= 4 + 1 + down;
        CAPTURE(n, r, j);
        CHECK(std::isnan(y(n, r, j, 0)) == sees);
      }
    }
  }
}

TEST_CASE("Row LSTM names its parameters and gives them their shapes", "[nn][row_lstm]") {
  Rng rng(1);
  const RowLSTM<LearnedState, test::XsimdBackend> layer(
      {.in_channels = 3, .hidden = 5, .kernel = 7}, rng);
  const auto found = parameters(layer);
  REQUIRE(found.size() == 5);
  CHECK(found[0].name == "input_weights");
  CHECK(found[0].parameter->shape() == Shape<4>{1, 7, 3, 20});
  CHECK(found[1].name == "state_weights");
  CHECK(found[1].parameter->shape() == Shape<4>{1, 7, 5, 20});
  CHECK(found[2].name == "bias");
  CHECK(found[2].parameter->shape() == Shape<4>{1, 1, 1, 20});
  CHECK(found[3].name == "h0");
  CHECK(found[3].parameter->shape() == Shape<4>{1, 1, 1, 5});
  CHECK(found[4].name == "c0");
  CHECK(found[4].parameter->shape() == Shape<4>{1, 1, 1, 5});
  for (std::size_t p = 2; p < 5; ++p) {
    for (const double v : found[p].parameter->value()) CHECK(v == 0);
  }
  // Glorot with the unmasked fan-in: 4 of 7 taps.
  double largest = 0;
  for (const double v : found[0].parameter->value()) largest = std::max(largest, std::abs(v));
  CHECK(largest <= std::sqrt(6.0 / (4 * 3 + 5)));
  CHECK(largest > 0.9 * std::sqrt(6.0 / (4 * 3 + 5)));
  CHECK(found[0].parameter->value()(0, 4, 0, 0) == 0);
  CHECK(parameters(RowLSTM<ZeroState, test::XsimdBackend>({}, rng)).size() == 3);
}

TEST_CASE("Row LSTM counts the products of taps inside the map", "[nn][row_lstm]") {
  Rng rng(1);
  const RowLSTM<LearnedState, test::XsimdBackend> layer({.in_channels = 2, .hidden = 5}, rng);
  // 3 × 4, k = 3: input taps 4 + 3 a row, state taps 4 + 3 + 3 a row from the second on.
  CHECK(layer.flops(3, 4) == 2 * 20 * (3 * 7 * 2 + 2 * 10 * 5));
}

TEST_CASE("Row LSTM names what it cannot be made of", "[nn][row_lstm]") {
  Rng rng(1);
  using Layer = RowLSTM<LearnedState, test::XsimdBackend>;
  CHECK_THROWS_ERROR(Layer({.in_channels = 0}, rng), ConfigError,
                     "RowLSTM: Config is {in_channels=0, hidden=1, kernel=3, colours=1}, expected "
                     "an odd kernel and 1 or more of the others");
  CHECK_THROWS_ERROR(Layer({.hidden = 0}, rng), ConfigError, "hidden=0");
  CHECK_THROWS_ERROR(Layer({.kernel = 4}, rng), ConfigError, "kernel=4");
  CHECK_THROWS_ERROR(Layer({.kernel = -1}, rng), ConfigError, "kernel=-1");
  CHECK_THROWS_ERROR(Layer({.colours = 0}, rng), ConfigError, "colours=0");
}

TEST_CASE("Row LSTM names the channels it expected", "[nn][row_lstm]") {
  const auto layer = test::make_row_lstm<LearnedState, test::XsimdBackend>({3, 5, 3, 1});
  CHECK(layer.output_shape({2, 4, 6, 3}) == Shape<4>{2, 4, 6, 5});
  CHECK_THROWS_ERROR(layer.output_shape({2, 4, 6, 1}), ShapeError,
                     "RowLSTM: x is (N=2, H=4, W=6, C=1), expected (N, H, W, C=3); C is "
                     "Config::in_channels");
}
