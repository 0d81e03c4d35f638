// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>
#include <vector>

#include <pixelrnn/likelihood/bernoulli.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

/// -ln p(level) from p(1) = 1 / (1 + e^-z), with digits to spare.
long double nats(long double z, int level) { return std::log1p(std::exp(level == 1 ? -z : z)); }

template <class T>
double library_nats(T z, int level) {
  const Images::Level pixel[]{static_cast<Images::Level>(level)};
  return Bernoulli::nats(&z, pixel);
}
template <class T>
T gradient(T z, int level, T scale, T before = 0) {
  const Images::Level pixel[]{static_cast<Images::Level>(level)};
  Bernoulli::add_gradient(&z, pixel, scale, &before);
  return before;
}
template <class T>
auto conditional(T z) {
  std::vector<double> room;
  return Bernoulli::conditional(&z, {}, 0, room);
}

}  // namespace

TEMPLATE_TEST_CASE("Bernoulli nats are the logarithm of the sigmoid", "[likelihood][bernoulli]",
                   float, double) {
  const double epsilon = 8 * std::numeric_limits<TestType>::epsilon();
  for (TestType z = -80; z <= 80; z += TestType(0.37)) {
    for (const int level : {0, 1}) {
      CAPTURE(z, level);
      const auto exact = static_cast<double>(nats(static_cast<long double>(z), level));
      CHECK(library_nats(z, level) == Approx(exact).epsilon(epsilon).margin(0));
    }
  }
}

TEMPLATE_TEST_CASE("Bernoulli nats neither overflow nor vanish where they are large",
                   "[likelihood][bernoulli]", float, double) {
  for (const TestType z : {TestType(1000), TestType(1e30)}) {
    CHECK(library_nats(z, 1) == 0);
    CHECK(library_nats(z, 0) == static_cast<double>(z));
    CHECK(library_nats(-z, 0) == 0);
    CHECK(library_nats(-z, 1) == static_cast<double>(z));
  }
  const TestType infinity = std::numeric_limits<TestType>::infinity();
  CHECK(library_nats(infinity, 1) == 0);
  CHECK(library_nats(infinity, 0) == std::numeric_limits<double>::infinity());
}

TEMPLATE_TEST_CASE("A surprise of e^-15 is not rounded to none", "[likelihood][bernoulli]", float,
                   double) {
  // softplus(z) - z would be: 15 + 3e-7 and 15 are one float.
  CHECK(library_nats(TestType(15), 1) == Approx(std::exp(-15.0)).epsilon(1e-6).margin(0));
}

TEMPLATE_TEST_CASE("The gradient of Bernoulli nats is p - level, times the scale, added",
                   "[likelihood][bernoulli]", float, double) {
  const double margin = 4 * std::numeric_limits<TestType>::epsilon();
  for (TestType z = -40; z <= 40; z += TestType(0.61)) {
    const double p = 1 / (1 + std::exp(-static_cast<double>(z)));
    for (const int level : {0, 1}) {
      CAPTURE(z, level);
      CHECK(static_cast<double>(gradient(z, level, TestType(1))) ==
            Approx(p - level).margin(margin).epsilon(0));
      CHECK(static_cast<double>(gradient(z, level, TestType(-3), TestType(5))) ==
            Approx(5 - 3 * (p - level)).margin(16 * margin).epsilon(0));
    }
  }
  CHECK(gradient(TestType(1000), 1, TestType(1)) == 0);
  CHECK(gradient(TestType(1000), 0, TestType(1)) == 1);
  CHECK(gradient(TestType(-1000), 0, TestType(1)) <= TestType(2e-35));
  CHECK(gradient(TestType(-1000), 1, TestType(1)) == -1);
}

TEMPLATE_TEST_CASE("Bernoulli probabilities sum to 1 and are those of the nats",
                   "[likelihood][bernoulli]", float, double) {
  for (const int tens : {-10000, -200, -5, 0, 10, 200, 10000}) {
    const TestType z = static_cast<TestType>(tens) / 10;
    CAPTURE(z);
    const auto p = conditional(z);
    CHECK(p.levels() == 2);
    CHECK(p.log_probability(0) == -library_nats(z, 0));
    CHECK(p.log_probability(1) == -library_nats(z, 1));
    const double epsilon = 8 * std::numeric_limits<TestType>::epsilon();
    const double zero = std::exp(p.log_probability(0)), one = std::exp(p.log_probability(1));
    CHECK(zero + one == Approx(1).epsilon(epsilon));
    CHECK(p.below(0) == 0);
    CHECK(p.below(1) == Approx(zero).epsilon(epsilon).margin(3e-35));
    CHECK(p.below(2) == 1);
  }
}

TEMPLATE_TEST_CASE("NaN stays NaN in Bernoulli", "[likelihood][bernoulli]", float, double) {
  const TestType nan = std::numeric_limits<TestType>::quiet_NaN();
  for (const int level : {0, 1}) {
    CHECK(std::isnan(library_nats(nan, level)));
    CHECK(std::isnan(conditional(nan).log_probability(level)));
    CHECK(std::isnan(gradient(nan, level, TestType(1))));
  }
}

TEST_CASE("Bernoulli reads one logit for two levels of each channel", "[likelihood][bernoulli]") {
  STATIC_REQUIRE(Bernoulli::levels() == 2);
  STATIC_REQUIRE(Bernoulli::outputs(1) == 1);
  STATIC_REQUIRE(Bernoulli::outputs(3) == 3);
  const double z[]{-1, 2, 0.5};
  const Images::Level pixel[]{1, 0, 1};
  CHECK(Bernoulli::nats(z, pixel) ==
        Approx(library_nats(z[0], 1) + library_nats(z[1], 0) + library_nats(z[2], 1)));
  double d[]{0, 0, 0};
  Bernoulli::add_gradient(z, pixel, 1.0, d);
  for (std::size_t c = 0; c < 3; ++c) CHECK(d[c] == gradient(z[c], pixel[c], 1.0));
  std::vector<double> room;
  CHECK(Bernoulli::conditional(z, pixel, 1, room).log_probability(1) == -library_nats(z[1], 1));
  CHECK(Bernoulli::name() == "bernoulli");
}
