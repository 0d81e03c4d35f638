// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>
#include <vector>

#include <pixelrnn/verify/chi_square.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;
using detail::chi_square;

TEST_CASE("The ratio of incomplete gammas is what it is in closed form", "[verify][chi_square]") {
  for (const double x : {0.1, 1.0, 2.5, 30.0}) {
    CAPTURE(x);
    CHECK(detail::upper_gamma_ratio(1, x) == Approx(std::exp(-x)).epsilon(1e-13));
    CHECK(detail::upper_gamma_ratio(2, x) == Approx((1 + x) * std::exp(-x)).epsilon(1e-13));
    CHECK(detail::upper_gamma_ratio(0.5, x) == Approx(std::erfc(std::sqrt(x))).epsilon(1e-12));
  }
  CHECK(detail::upper_gamma_ratio(3, 0) == 1);
}

TEST_CASE("Counts as expected pass, others do not", "[verify][chi_square]") {
  CHECK(chi_square({25, 25, 50}, {0.25, 0.25, 0.5}).p_value == 1);
  CHECK(chi_square({25, 25, 50}, {0.25, 0.25, 0.5}).freedom == 2);
  CHECK(chi_square({15, 35, 50}, {0.25, 0.25, 0.5}).p_value == Approx(std::exp(-4.0)));
  CHECK(chi_square({0, 50, 50}, {0.25, 0.25, 0.5}).p_value < 1e-10);
}

TEST_CASE("Rare outcomes are counted as one", "[verify][chi_square]") {
  // Four times 2 expected: one of 8.
  const std::vector<double> p{0.92, 0.02, 0.02, 0.02, 0.02};
  CHECK(chi_square({92, 8, 0, 0, 0}, p).p_value == 1);
  CHECK(chi_square({92, 8, 0, 0, 0}, p).freedom == 1);
  CHECK(chi_square({72, 28, 0, 0, 0}, p).p_value < 1e-10);
}

TEST_CASE("Draws of what is next to impossible have the probability that Poisson gives them",
          "[verify][chi_square]") {
  const std::vector<double> p{0.5 - 1e-5, 0.5, 1e-5};  // of 100, one in a thousand
  CHECK(chi_square({50, 50, 0}, p).p_value > 0.99);
  CHECK(chi_square({50, 49, 1}, p).p_value == Approx(1e-3).epsilon(1e-3));
  CHECK(chi_square({49, 49, 2}, p).p_value == Approx(5e-7).epsilon(1e-3));
  CHECK(chi_square({50, 49, 1}, {0.5, 0.5, 0}).p_value == 0);
}

TEST_CASE("One outcome has no freedom", "[verify][chi_square]") {
  CHECK(chi_square({100}, {1.0}).freedom == 0);
  CHECK(chi_square({100}, {1.0}).p_value == 1);
  CHECK(chi_square({99, 1}, {1.0, 0.0}).freedom == 0);
  CHECK(chi_square({99, 1}, {1.0, 0.0}).p_value == 0);
  CHECK(chi_square({}, {}).freedom == 0);
}
