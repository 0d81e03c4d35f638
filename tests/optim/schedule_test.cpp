// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>
#include <numbers>

#include <pixelrnn/optim/schedule.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

TEST_CASE("A constant rate is 1", "[optim][schedule]") {
  const Schedule rate = constant_rate();
  CHECK(rate(0) == 1);
  CHECK(rate(1000000) == 1);
}

TEST_CASE("A cosine falls from 1 to the last rate and stays there", "[optim][schedule]") {
  const Schedule rate = cosine_rate(100, 0, 0.1);
  CHECK(rate(0) == 1);
  CHECK(rate(50) == Approx(0.55));
  CHECK(rate(25) == Approx(0.1 + 0.9 * 0.5 * (1 + std::cos(std::numbers::pi / 4))));
  CHECK(rate(100) == Approx(0.1));
  CHECK(rate(100000) == Approx(0.1));
  for (Index step = 0; step < 100; ++step) CHECK(rate(step + 1) < rate(step));
}

TEST_CASE("A warm-up rises in equal steps to 1, then the cosine begins", "[optim][schedule]") {
  const Schedule rate = cosine_rate(30, 10);
  for (Index step = 0; step < 10; ++step) {
    CHECK(rate(step) == Approx(0.1 * static_cast<double>(step + 1)));
  }
  CHECK(rate(10) == 1);
  CHECK(rate(20) == Approx(0.5));
  CHECK(rate(30) == Approx(0).margin(1e-15));
}

TEST_CASE("A step rate falls in jumps", "[optim][schedule]") {
  const Schedule rate = step_rate(10, 0.5);
  CHECK(rate(0) == 1);
  CHECK(rate(9) == 1);
  CHECK(rate(10) == 0.5);
  CHECK(rate(29) == 0.25);
  CHECK(rate(30) == 0.125);
}

TEST_CASE("Any function of the step is a schedule", "[optim][schedule]") {
  const Schedule rate = [](Index step) { return 1.0 / static_cast<double>(1 + step); };
  CHECK(rate(3) == 0.25);
}

TEST_CASE("Schedules name settings that cannot work", "[optim][schedule]") {
  CHECK_THROWS_ERROR(
      cosine_rate(10, 10), ConfigError,
      "cosine_rate: steps is 10, warmup 10, last 0, expected 0 <= warmup < steps and "
      "0 <= last <= 1");
  CHECK_THROWS_AS(cosine_rate(0), ConfigError);
  CHECK_THROWS_AS(cosine_rate(10, -1), ConfigError);
  CHECK_THROWS_AS(cosine_rate(10, 0, 1.5), ConfigError);
  CHECK_THROWS_AS(cosine_rate(10, 0, std::numeric_limits<double>::quiet_NaN()), ConfigError);
  CHECK_THROWS_ERROR(step_rate(0, 0.5), ConfigError,
                     "step_rate: every is 0 and factor 0.5, expected both positive");
  CHECK_THROWS_AS(step_rate(1, 0), ConfigError);
  CHECK_THROWS_AS(step_rate(1, std::numeric_limits<double>::quiet_NaN()), ConfigError);
}
