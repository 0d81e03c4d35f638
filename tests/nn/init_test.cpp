// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <pixelrnn/nn/init.hpp>

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/statistics.hpp"

using namespace pixelrnn;

namespace {

constexpr double strict = 1e-6;  // far below what a right generator gives with this seed

/// How likely values are this uneven, or more, if they are uniform in ±bound.
double uniform_in(const FeatureMap<double>& values, double bound) {
  std::vector<std::size_t> counts(20, 0);
  for (const double v : values) {
    const double place = (v + bound) / (2 * bound) * 20;
    if (place < 0 || place >= 20) return 0;
    ++counts[static_cast<std::size_t>(place)];
  }
  return test::chi_square_test(counts, std::vector<double>(20, 1.0 / 20));
}

FeatureMap<double> drawn(Shape<4> shape, Index fan_in, Index fan_out, std::uint64_t seed = 1) {
  FeatureMap<double> weights(shape);
  Rng rng(seed);
  glorot_uniform(weights.view(), fan_in, fan_out, rng);
  return weights;
}

}  // namespace

TEST_CASE("Glorot's weights are uniform within the root of 6 by the fans", "[nn][init]") {
  const auto weights = drawn({10, 10, 20, 20}, 9, 15);
  CHECK(uniform_in(weights, 0.5) > strict);
  // The controls: other fans, and fans that are averaged instead of added.
  CHECK(uniform_in(drawn({10, 10, 20, 20}, 9, 16), 0.5) < strict);
  CHECK(uniform_in(weights, std::sqrt(6.0 / 12)) < strict);
}

TEST_CASE("Either fan counts alike, and no fan at all is one", "[nn][init]") {
  CHECK(test::bit_difference(drawn({1, 1, 5, 5}, 3, 21), drawn({1, 1, 5, 5}, 21, 3)) == "");
  CHECK(test::bit_difference(drawn({1, 1, 5, 5}, 0, 0), drawn({1, 1, 5, 5}, 1, 0)) == "");
  CHECK(uniform_in(drawn({10, 10, 20, 20}, 0, 0), std::sqrt(6.0)) > strict);
}

TEST_CASE("Weights are a function of the random numbers, in their order", "[nn][init]") {
  CHECK(test::bit_difference(drawn({2, 3, 4, 5}, 2, 4), drawn({2, 3, 4, 5}, 2, 4)) == "");
  CHECK(test::bit_difference(drawn({2, 3, 4, 5}, 2, 4, 2), drawn({2, 3, 4, 5}, 2, 4)) != "");
  Rng once(7), twice(7);
  FeatureMap<double> whole({1, 1, 2, 6}), halves(whole);
  glorot_uniform(whole.view(), 2, 2, once);
  FeatureMap<double> first({1, 1, 1, 6}), second({1, 1, 1, 6});
  glorot_uniform(first.view(), 2, 2, twice);
  glorot_uniform(second.view(), 2, 2, twice);
  std::copy(first.begin(), first.end(), halves.begin());
  std::copy(second.begin(), second.end(), halves.begin() + 6);
  CHECK(test::bit_difference(whole, halves) == "");
  CHECK(once.position() == 12);
  CHECK(twice.position() == 12);
}

TEST_CASE("Weights in float are the nearest to those in double", "[nn][init]") {
  const auto wide = drawn({1, 1, 8, 8}, 8, 8);
  FeatureMap<float> narrow(wide.shape()), rounded(wide.shape());
  Rng rng(1);
  glorot_uniform(narrow.view(), 8, 8, rng);
  std::transform(wide.begin(), wide.end(), rounded.begin(),
                 [](double v) { return static_cast<float>(v); });
  CHECK(test::bit_difference(narrow, rounded) == "");
}
