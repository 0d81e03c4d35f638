// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>
#include <vector>

#include <pixelrnn/core/random.hpp>
#include <pixelrnn/likelihood/likelihood.hpp>
#include <pixelrnn/sampling/rules.hpp>

#include "support/catch.hpp"
#include "support/statistics.hpp"

using namespace pixelrnn;

namespace {

template <class Rule>
int draw(const Rule& rule, const std::vector<double>& p, double u) {
  std::vector<double> room, room_of_rule(p.size());
  const EnumeratedLevels levels(static_cast<int>(p.size()), room, [&](int level) {
    return std::log(p[static_cast<std::size_t>(level)]);
  });
  return rule.draw(levels, u, {0, 0, 0, 0, {}, room_of_rule});
}

/// How often each level is drawn in `draws` draws.
template <class Rule>
std::vector<std::size_t> count_draws(const Rule& rule, const std::vector<double>& p, int draws) {
  std::vector<std::size_t> counts(p.size());
  for (int i = 0; i < draws; ++i) {
    ++counts[static_cast<std::size_t>(draw(rule, p, keyed_uniform(9, 0, i, 0)))];
  }
  return counts;
}

/// 256 levels of very different probability.
std::vector<double> wide_softmax() {
  Rng rng(4);
  std::vector<double> p(256);
  double sum = 0;
  for (double& v : p) sum += v = std::exp(2 * rng.normal());
  for (double& v : p) v /= sum;
  return p;
}

std::vector<double> at_temperature(std::vector<double> p, double temperature) {
  double sum = 0;
  for (double& v : p) sum += v = std::pow(v, 1 / temperature);
  for (double& v : p) v /= sum;
  return p;
}

struct NotARule {
  template <class P>
  [[nodiscard]] double draw(const P&, double u, const DrawSite&) const {
    return u;
  }
};

}  // namespace

TEST_CASE("The chi-square test knows its tables", "[sampling][statistics]") {
  // Abramowitz & Stegun, table 26.8: 5 % and 0.1 % points.
  CHECK(test::chi_square_tail(3.84146, 1) == Approx(0.05).epsilon(1e-4));
  CHECK(test::chi_square_tail(18.3070, 10) == Approx(0.05).epsilon(1e-4));
  CHECK(test::chi_square_tail(124.342, 100) == Approx(0.05).epsilon(1e-4));
  CHECK(test::chi_square_tail(29.588, 10) == Approx(0.001).epsilon(1e-3));
  CHECK(test::chi_square_tail(2, 2) == Approx(std::exp(-1.0)));
  CHECK(test::chi_square_tail(0, 5) == 1);
  CHECK(test::chi_square_test({50, 50}, {0.5, 0.5}) == 1);
  CHECK(test::chi_square_test({60, 40}, {0.5, 0.5}) == Approx(0.0455).epsilon(1e-2));
  // Two outcomes expected less than 5 times are one with 4 draws of 4.
  CHECK(test::chi_square_test({96, 3, 1}, {0.96, 0.02, 0.02}) == Approx(1));
}

TEST_CASE("A multinomial draw inverts the cumulative sum", "[sampling][rules]") {
  const std::vector<double> p{0.25, 0, 0.5, 0.25};
  CHECK(draw(Multinomial{}, p, 0.0) == 0);
  CHECK(draw(Multinomial{}, p, 0.2499) == 0);
  CHECK(draw(Multinomial{}, p, 0.2501) == 2);
  CHECK(draw(Multinomial{}, p, 0.7499) == 2);
  CHECK(draw(Multinomial{}, p, 0.7501) == 3);
  CHECK(draw(Multinomial{}, p, std::nextafter(1.0, 0.0)) == 3);
}

TEST_CASE("What rounding leaves over goes to the last level that is possible",
          "[sampling][rules]") {
  // Probabilities are floats: they may add up to a little less than 1, and u may lie above.
  const double u = std::nextafter(1.0, 0.0);
  CHECK(draw(Multinomial{}, {0.5, 0.4999999}, u) == 1);
  CHECK(draw(Multinomial{}, {0.5, 0.4999999, 0}, u) == 1);
  CHECK(draw(Multinomial{}, {0, 0.9999999, 0, 0}, u) == 1);
  CHECK(draw(Multinomial{}, {0.9999999, 0}, u) == 0);
}

TEST_CASE("Multinomial draws of 256 levels have the distribution of the softmax",
          "[sampling][rules]") {
  const std::vector<double> p = wide_softmax();
  const auto counts = count_draws(Multinomial{}, p, 100000);
  CHECK(test::chi_square_test(counts, p) > 1e-4);
  CHECK(test::chi_square_test(counts, at_temperature(p, 1.1)) < 1e-4);
}

TEST_CASE("Draws at a temperature come from p^(1/temperature)", "[sampling][rules]") {
  const std::vector<double> p = wide_softmax();
  for (const double temperature : {0.5, 1.0, 2.0}) {
    CAPTURE(temperature);
    const auto counts = count_draws(Temperature{temperature}, p, 100000);
    CHECK(test::chi_square_test(counts, at_temperature(p, temperature)) > 1e-4);
    CHECK(test::chi_square_test(counts, at_temperature(p, temperature * 1.1)) < 1e-4);
  }
}

TEST_CASE("Temperature 1 draws what Multinomial draws", "[sampling][rules]") {
  const std::vector<double> p = wide_softmax();
  for (int i = 0; i < 2000; ++i) {
    const double u = keyed_uniform(3, 0, i, 0);
    CHECK(draw(Temperature{1}, p, u) == draw(Multinomial{}, p, u));
  }
}

TEST_CASE("A low temperature takes the most probable level, a high one any", "[sampling][rules]") {
  const std::vector<double> p{0.3, 0.4, 0.2999, 0.0001};
  for (double u = 0.005; u < 1; u += 0.01) {
    CHECK(draw(Temperature{1e-3}, p, u) == 1);
    CHECK(draw(Temperature{1e-300}, p, u) == 1);
    // The reciprocal of this one is more than a double holds.
    CHECK(draw(Temperature{1e-310}, p, u) == 1);
    CHECK(draw(Temperature{std::numeric_limits<double>::denorm_min()}, p, u) == 1);
    CHECK(draw(Temperature{1e9}, p, u) == static_cast<int>(4 * u));
  }
}

TEST_CASE("Levels that are impossible stay so at any temperature", "[sampling][rules]") {
  for (double u = 0; u < 1; u += 0.01) {
    CHECK(draw(Temperature{5}, {0, 1, 0}, u) == 1);
    CHECK(draw(Multinomial{}, {0, 1, 0}, u) == 1);
  }
}

TEST_CASE("Argmax takes the most probable level, the lowest of equals", "[sampling][rules]") {
  for (const double u : {0.0, 0.5, 0.999}) {
    CHECK(draw(Argmax{}, {0.2, 0.5, 0.3}, u) == 1);
    CHECK(draw(Argmax{}, {0.4, 0.2, 0.4}, u) == 0);
    CHECK(draw(Argmax{}, {0, 0, 1}, u) == 2);
  }
}

TEST_CASE("A temperature must be finite and above 0", "[sampling][rules]") {
  CHECK_NOTHROW(Temperature{0.1}.check());
  CHECK_THROWS_ERROR(
      Temperature{0}.check(), ConfigError,
      "Temperature: temperature is 0, expected a finite number above 0 (for the most "
      "probable level use Argmax)");
  for (const double bad :
       {-1.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_AS(Temperature{bad}.check(), ConfigError);
  }
}

TEST_CASE("A sampling rule is told by draw and check", "[sampling][rules]") {
  STATIC_REQUIRE(SamplingRule<Multinomial>);
  STATIC_REQUIRE(SamplingRule<Temperature>);
  STATIC_REQUIRE(SamplingRule<Argmax>);
  STATIC_REQUIRE_FALSE(SamplingRule<NotARule>);
}
