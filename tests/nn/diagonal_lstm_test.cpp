// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <limits>

#include "support/diagonal_cases.hpp"

using namespace pixelrnn;
using test::DiagonalCase, test::random_map;
using test::EigenBackend, test::ReferenceBackend, test::XsimdBackend;

namespace {

template <class L>
void check_values_and_walk() {
  for (const DiagonalCase& c : test::diagonal_cases) {
    const L layer = test::make_diagonal<L>(c);
    for (const Shape<3>& map : test::maps) {
      CAPTURE(c, map);
      const auto x = random_map<double>(test::with_channels(map, c.in_channels), 2);
      CHECK(test::difference(test::output(layer, x), test::naive_diagonal(layer, x, c.colours),
                             test::rounding<double>) == "");
      test::check_walk_is_forward<typename L::BackendPolicy>(layer, x);
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("Diagonal BiLSTM is the skewed formulation of the paper", "[nn][diagonal_lstm]",
                   (DiagonalBiLSTM<ZeroState, ReferenceBackend>),
                   (DiagonalBiLSTM<LearnedState, ReferenceBackend>),
                   (DiagonalBiLSTM<PaddedScanState, ReferenceBackend>),
                   (DiagonalBiLSTM<LearnedState, EigenBackend>),
                   (DiagonalBiLSTM<PaddedScanState, EigenBackend>),
                   (DiagonalBiLSTM<ZeroState, XsimdBackend>),
                   (DiagonalBiLSTM<LearnedState, XsimdBackend>),
                   (DiagonalBiLSTM<PaddedScanState, XsimdBackend>)) {
  check_values_and_walk<TestType>();
}

TEMPLATE_TEST_CASE("Diagonal LSTM is the skewed formulation of either direction",
                   "[nn][diagonal_lstm]", (DiagonalLSTM<FromLeft, LearnedState, XsimdBackend>),
                   (DiagonalLSTM<FromRight, LearnedState, XsimdBackend>),
                   (DiagonalLSTM<FromLeft, PaddedScanState, XsimdBackend>),
                   (DiagonalLSTM<FromRight, PaddedScanState, XsimdBackend>),
                   (DiagonalLSTM<FromRight, ZeroState, EigenBackend>)) {
  check_values_and_walk<TestType>();
}

TEMPLATE_TEST_CASE("Diagonal BiLSTM: an image's bits do not depend on its batch",
                   "[nn][diagonal_lstm]", (DiagonalBiLSTM<LearnedState, ReferenceBackend>),
                   (DiagonalBiLSTM<LearnedState, XsimdBackend>)) {
  for (const DiagonalCase& c : test::diagonal_cases) {
    test::check_images_do_not_depend_on_each_other(test::make_diagonal<TestType>(c),
                                                   random_map<double>({7, 5, 4, c.in_channels}, 3));
  }
}

TEST_CASE("Diagonal BiLSTM is the sum of its directions", "[nn][diagonal_lstm]") {
  const DiagonalCase c{2, 3, 1};
  const auto both = test::make_diagonal<DiagonalBiLSTM<LearnedState, XsimdBackend>>(c);
  auto left = test::make_diagonal<DiagonalLSTM<FromLeft, LearnedState, XsimdBackend>>(c);
  auto right = test::make_diagonal<DiagonalLSTM<FromRight, LearnedState, XsimdBackend>>(c);
  const auto all = parameters(both);
  for (std::size_t p = 0; p < 5; ++p) {
    const auto copy = [&](auto& to, std::size_t from) {
      std::copy(all[from].parameter->value().begin(), all[from].parameter->value().end(),
                parameters(to)[p].parameter->value().begin());
    };
    copy(left, p);
    copy(right, 5 + p);
  }
  const auto x = random_map<double>({2, 5, 4, 2}, 2);
  CHECK(test::bit_difference(test::naive::add(test::output(left, x), test::output(right, x)),
                             test::output(both, x)) == "");
  // The right direction's first row is zero, since it was shifted down.
  const auto y = test::output(right, x);
  for (Index j = 0; j < 4; ++j) CHECK(y(1, 0, j, 2) == 0);
  CHECK(y(1, 1, 0, 2) != 0);
}

TEST_CASE("Diagonal BiLSTM: the initial states differ where they should", "[nn][diagonal_lstm]") {
  const DiagonalCase c{2, 3, 1};
  const auto zero = test::make_diagonal<DiagonalBiLSTM<ZeroState, XsimdBackend>>(c);
  const auto padded = test::make_diagonal<DiagonalBiLSTM<PaddedScanState, XsimdBackend>>(c);
  const auto x = random_map<double>({1, 4, 5, 2}, 2);
  const auto a = test::output(zero, x), b = test::output(padded, x);
  // No padding left of row 0: there both begin with zero, and the right scan comes a row later.
  const auto row = [](const FeatureMap<double>& y, Index r) {
    return FeatureMap<double>(FeatureView<const double>(&y(0, r, 0, 0), {1, 1, 5, 3}));
  };
  CHECK(test::bit_difference(row(a, 0), row(b, 0)) == "");
  CHECK(test::difference(row(a, 1), row(b, 1), 1e-3) != "");
}

TEST_CASE("Diagonal LSTM: NaN in a pixel reaches exactly the pixels that see it",
          "[nn][diagonal_lstm]") {
  const auto layer = test::make_diagonal<DiagonalBiLSTM<LearnedState, XsimdBackend>>({2, 3, 1});
  auto x = random_map<double>({2, 5, 6, 2}, 1);
  x(1, 2, 3, 0) = std::numeric_limits<double>::quiet_NaN();
  const auto y = test::output(layer, x);
  for (Index n = 0; n < 2; ++n) {
    for (Index r = 0; r < 5; ++r) {
      for (Index j = 0; j < 6; ++j) {
        CAPTURE(n, r, j);
        CHECK(std::isnan(y(n, r, j, 0)) == (n == 1 && (r > 2 || (r == 2 && j >= 3))));
      }
    }
  }
}

TEST_CASE("Diagonal BiLSTM names its parameters and gives them their shapes",
          "[nn][diagonal_lstm]") {
  Rng rng(1);
  const DiagonalBiLSTM<LearnedState, XsimdBackend> layer({.in_channels = 3, .hidden = 5}, rng);
  const auto found = parameters(layer);
  REQUIRE(found.size() == 10);
  const std::vector<std::pair<std::string, Shape<4>>> expected{{"input_weights", {1, 1, 3, 20}},
                                                               {"state_weights", {2, 1, 5, 20}},
                                                               {"bias", {1, 1, 1, 20}},
                                                               {"h0", {1, 1, 1, 5}},
                                                               {"c0", {1, 1, 1, 5}}};
  for (std::size_t p = 0; p < 5; ++p) {
    CHECK(found[p].name == "left." + expected[p].first);
    CHECK(found[p].parameter->shape() == expected[p].second);
    CHECK(found[5 + p].name == "right." + expected[p].first);
    CHECK(found[5 + p].parameter->shape() == expected[p].second);
  }
  CHECK(parameters(DiagonalBiLSTM<ZeroState, XsimdBackend>({}, rng)).size() == 6);
  CHECK(parameters(DiagonalBiLSTM<PaddedScanState, XsimdBackend>({}, rng)).size() == 6);
  const DiagonalLSTM<FromLeft, LearnedState, XsimdBackend> one({}, rng);
  CHECK(parameters(one)[0].name == "input_weights");
}

TEST_CASE("Diagonal BiLSTM counts the products inside the map", "[nn][diagonal_lstm]") {
  Rng rng(1);
  const DiagonalBiLSTM<LearnedState, XsimdBackend> layer({.in_channels = 2, .hidden = 5}, rng);
  // 3 × 4. Left: 12 cells, 8 of them below another, 9 right of another. Right: the same of 2 × 4,
  // since the row that the shift drops is not needed.
  const Index left = 12 * 2 + (8 + 9) * 5, right = 8 * 2 + (4 + 6) * 5;
  CHECK(layer.flops(3, 4) == 2 * 20 * (left + right));
}

TEST_CASE("Diagonal LSTM names what it cannot be made of", "[nn][diagonal_lstm]") {
  Rng rng(1);
  using Layer = DiagonalBiLSTM<LearnedState, XsimdBackend>;
  CHECK_THROWS_ERROR(Layer({.in_channels = 0}, rng), ConfigError,
                     "DiagonalLSTM: Config is {in_channels=0, hidden=1, colours=1}, expected 1 or "
                     "more of each");
  CHECK_THROWS_ERROR(Layer({.hidden = -2}, rng), ConfigError, "hidden=-2");
  CHECK_THROWS_ERROR(Layer({.colours = 0}, rng), ConfigError, "colours=0");
}

TEST_CASE("Diagonal LSTM names the channels it expected", "[nn][diagonal_lstm]") {
  const auto both = test::make_diagonal<DiagonalBiLSTM<LearnedState, XsimdBackend>>({3, 5, 1});
  const auto one = test::make_diagonal<DiagonalLSTM<FromLeft, ZeroState, XsimdBackend>>({3, 5, 1});
  CHECK(both.output_shape({2, 4, 6, 3}) == Shape<4>{2, 4, 6, 5});
  CHECK_THROWS_ERROR(both.output_shape({2, 4, 6, 1}), ShapeError,
                     "DiagonalBiLSTM: x is (N=2, H=4, W=6, C=1), expected (N, H, W, C=3); C is "
                     "Config::in_channels");
  CHECK_THROWS_ERROR(one.output_shape({2, 4, 6, 1}), ShapeError, "DiagonalLSTM: x is (N=2");
}
