// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <pixelrnn/autodiff/gradcheck.hpp>

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/random.hpp"

using namespace pixelrnn;

namespace {

/// dropout of each image of ones, of the `map`-th map that a recording gives to it.
FeatureMap<float> dropped(const StepDropout& draws, const Shape<4>& shape, int threads = 1,
                          int map = 0) {
  FeatureMap<float> ones(shape);
  std::fill(ones.begin(), ones.end(), 1.0F);
  Tape<float> tape({.threads = threads});
  tape.set_dropout(draws);
  Variable<float> y = dropout(tape.constant(ones));
  for (int i = 0; i < map; ++i) y = dropout(tape.constant(ones));
  return FeatureMap<float>(y.value());
}

}  // namespace

TEST_CASE("Dropout leaves out its share and enlarges the rest as much", "[autodiff][dropout]") {
  const Shape<4> shape{3, 20, 21, 11};
  for (const double rate : {0.05, 0.25, 0.5, 0.9}) {
    CAPTURE(rate);
    const FeatureMap<float> y = dropped({.rate = rate, .seed = 7}, shape);
    const double size = static_cast<double>(y.size());
    const auto zeros = static_cast<double>(std::count(y.begin(), y.end(), 0.0F));
    CHECK(std::abs(zeros - rate * size) < 5 * std::sqrt(rate * (1 - rate) * size));
    for (const float v : y) {
      if (v != 0) REQUIRE(std::abs(v * (1 - rate) - 1) < 1e-4);
    }
    // No place has it more often than another: by channel, and by place in a block of draws.
    for (const Index period : {11, 8}) {
      for (Index first = 0; first < period; ++first) {
        double left_out = 0, count = 0;
        for (Index i = first; i < y.size(); i += period, ++count) left_out += y.data()[i] == 0;
        CHECK(std::abs(left_out - rate * count) < 5 * std::sqrt(rate * (1 - rate) * count));
      }
    }
  }
}

TEST_CASE("What dropout leaves out depends on its place alone", "[autodiff][dropout]") {
  const StepDropout draws{.rate = 0.5, .seed = 7, .step = 3, .image = 0};
  const Shape<4> shape{5, 30, 31, 9};
  const FeatureMap<float> y = dropped(draws, shape);
  CHECK(test::bit_difference(dropped(draws, shape, 4), y) == "");
  // Images from the fourth on, as a part of a batch has them.
  const FeatureMap<float> part = dropped({0.5, 7, 3, 3}, {2, 30, 31, 9});
  CHECK(std::equal(part.begin(), part.end(), y.view()[3].data()));

  const auto half_differ = [&](const FeatureMap<float>& other) {
    double differing = 0;
    for (Index i = 0; i < y.size(); ++i) differing += y.data()[i] != other.data()[i];
    return std::abs(differing / static_cast<double>(y.size()) - 0.5) < 0.02;
  };
  CHECK(half_differ(dropped({0.5, 8, 3, 0}, shape)));
  CHECK(half_differ(dropped({0.5, 7, 4, 0}, shape)));
  CHECK(half_differ(dropped({0.5, 7, 3, 1}, shape)));
  CHECK(half_differ(dropped(draws, shape, 1, 1)));
  CHECK_FALSE(half_differ(dropped(draws, shape)));  // the control
}

TEST_CASE("Without a rate dropout gives x itself, also after a reset", "[autodiff][dropout]") {
  const FeatureMap<double> ones({1, 2, 2, 3});
  Tape<double> tape;
  const auto is_itself = [&] {
    const Variable<double> x = tape.input(ones);
    return dropout(x).value().data() == x.value().data();
  };
  CHECK(is_itself());
  tape.set_dropout({.rate = 0.5});
  CHECK_FALSE(is_itself());
  tape.reset();
  CHECK(is_itself());
}

TEST_CASE("The gradient of dropout", "[autodiff][dropout][gradcheck]") {
  std::uint32_t calls = 0;
  const auto check = [&](bool same_draws) {
    return gradcheck({test::random_map<double>({2, 3, 5, 3}, 1)},
                     [&](Tape<double>& tape, const std::vector<Variable<double>>& in) {
                       tape.set_dropout({.rate = 0.4, .step = same_draws ? 1 : ++calls});
                       return mul(dropout(in[0]), dropout(in[0]));
                     });
  };
  const GradcheckReport report = check(true);
  CAPTURE(report.where);
  CHECK(report);
  CHECK_FALSE(check(false));  // the control: other draws each time
}

TEST_CASE("A rate of dropout that is none is refused", "[autodiff][dropout]") {
  Tape<float> tape;
  for (const double rate : {-0.1, 1.0, 2.0, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_AS(tape.set_dropout({.rate = rate}), ConfigError);
  }
  CHECK_THROWS_WITH(tape.set_dropout({.rate = 1}),
                    "Tape::set_dropout: dropout is 1, expected 0 (none) to less than 1");
}
