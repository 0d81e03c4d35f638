// SPDX-License-Identifier: MIT
#include <array>
#include <cmath>
#include <limits>

#include <pixelrnn/likelihood/bernoulli.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

/// -ln p(level) from p(1) = 1 / (1 + e^-z), with digits to spare.
long double nats(long double z, int level) { return std::log1p(std::exp(level == 1 ? -z : z)); }

template <class T>
T library_nats(T z, int level) {
  return Bernoulli::nats(&z, level);
}
template <class T>
T gradient(T z, int level, T scale, T before = 0) {
  Bernoulli::add_gradient(&z, level, scale, &before);
  return before;
}

}  // namespace

TEMPLATE_TEST_CASE("Bernoulli nats are the logarithm of the sigmoid", "[likelihood][bernoulli]",
                   float, double) {
  const double epsilon = 8 * std::numeric_limits<TestType>::epsilon();
  for (TestType z = -80; z <= 80; z += TestType(0.37)) {
    for (const int level : {0, 1}) {
      CAPTURE(z, level);
      const auto exact = static_cast<double>(nats(static_cast<long double>(z), level));
      CHECK(static_cast<double>(library_nats(z, level)) ==
            Approx(exact).epsilon(epsilon).margin(0));
    }
  }
}

TEMPLATE_TEST_CASE("Bernoulli nats neither overflow nor vanish where they are large",
                   "[likelihood][bernoulli]", float, double) {
  for (const TestType z : {TestType(1000), TestType(1e30)}) {
    CHECK(library_nats(z, 1) == 0);
    CHECK(library_nats(z, 0) == z);
    CHECK(library_nats(-z, 0) == 0);
    CHECK(library_nats(-z, 1) == z);
  }
  const TestType infinity = std::numeric_limits<TestType>::infinity();
  CHECK(library_nats(infinity, 1) == 0);
  CHECK(library_nats(infinity, 0) == infinity);
}

TEMPLATE_TEST_CASE("A surprise of e^-15 is not rounded to none", "[likelihood][bernoulli]", float,
                   double) {
  // softplus(z) - z would be: 15 + 3e-7 and 15 are one float.
  CHECK(static_cast<double>(library_nats(TestType(15), 1)) ==
        Approx(std::exp(-15.0)).epsilon(1e-6).margin(0));
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
  CHECK(gradient(TestType(-1000), 0, TestType(1)) == 0);
  CHECK(gradient(TestType(-1000), 1, TestType(1)) == -1);
}

TEMPLATE_TEST_CASE("Bernoulli probabilities sum to 1 and are those of the nats",
                   "[likelihood][bernoulli]", float, double) {
  for (const int tens : {-10000, -200, -5, 0, 10, 200, 10000}) {
    const TestType z = static_cast<TestType>(tens) / 10;
    CAPTURE(z);
    const std::array<TestType, 1> logits{z};
    std::array<TestType, 2> log_p{};
    Bernoulli::log_probabilities(logits.data(), log_p.data());
    CHECK(log_p[0] == -library_nats(z, 0));
    CHECK(log_p[1] == -library_nats(z, 1));
    const double sum =
        std::exp(static_cast<double>(log_p[0])) + std::exp(static_cast<double>(log_p[1]));
    CHECK(sum == Approx(1).epsilon(4 * std::numeric_limits<TestType>::epsilon()));
  }
}

TEMPLATE_TEST_CASE("NaN stays NaN in Bernoulli", "[likelihood][bernoulli]", float, double) {
  const TestType nan = std::numeric_limits<TestType>::quiet_NaN();
  for (const int level : {0, 1}) {
    CHECK(std::isnan(library_nats(nan, level)));
    CHECK(std::isnan(gradient(nan, level, TestType(1))));
  }
}

TEST_CASE("Bernoulli reads one logit for two levels", "[likelihood][bernoulli]") {
  STATIC_REQUIRE(Bernoulli::levels == 2);
  STATIC_REQUIRE(Bernoulli::outputs == 1);
  CHECK(Bernoulli::name() == "bernoulli");
}
