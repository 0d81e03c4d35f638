// SPDX-License-Identifier: MIT
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include <pixelrnn/core/random.hpp>
#include <pixelrnn/likelihood/categorical.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

template <class T>
std::vector<T> random_logits(int count, std::uint64_t seed, double bound) {
  Rng rng(seed);
  std::vector<T> logits(static_cast<std::size_t>(count));
  for (T& z : logits) z = static_cast<T>(rng.uniform(-bound, bound));
  return logits;
}

/// p(v) = e^z_v / Σ e^z, plainly, with digits and range to spare.
template <class T>
std::vector<long double> softmax(const std::vector<T>& z) {
  std::vector<long double> p;
  long double sum = 0;
  for (const T value : z) sum += std::exp(static_cast<long double>(value));
  for (const T value : z) p.push_back(std::exp(static_cast<long double>(value)) / sum);
  return p;
}

/// The checks for one number of levels and one scalar.
template <class L, class T>
void check_against_softmax(double bound) {
  const double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const std::vector<T> z = random_logits<T>(L::levels, seed, bound);
    const std::vector<long double> p = softmax(z);
    std::vector<T> log_p(z.size());
    L::log_probabilities(z.data(), log_p.data());
    double sum = 0;
    for (int level = 0; level < L::levels; ++level) {
      const auto v = static_cast<std::size_t>(level);
      CAPTURE(L::levels, seed, level);
      const double exact = -static_cast<double>(std::log(p[v]));
      // ln Σ e^z and z_v are of the size of the logits: so is what rounding may do.
      const double margin = (16 + 4 * bound) * epsilon;
      CHECK(static_cast<double>(L::nats(z.data(), level)) == Approx(exact).margin(margin));
      CHECK(log_p[v] == -L::nats(z.data(), level));
      sum += std::exp(static_cast<double>(log_p[v]));

      std::vector<T> d(z.size(), T{2});
      L::add_gradient(z.data(), level, T{-3}, d.data());
      for (std::size_t k = 0; k < d.size(); ++k) {
        const double slope = static_cast<double>(p[k]) - (k == v ? 1 : 0);
        CHECK(static_cast<double>(d[k]) == Approx(2 - 3 * slope).margin(4 * margin));
      }
    }
    CHECK(sum == Approx(1).margin((16 + 4 * bound) * epsilon));
  }
}

}  // namespace

TEMPLATE_TEST_CASE("Categorical nats and gradients are those of a softmax",
                   "[likelihood][categorical]", float, double) {
  for (const double bound : {0.1, 3.0, 40.0}) {
    check_against_softmax<Categorical<2>, TestType>(bound);
    check_against_softmax<Categorical<3>, TestType>(bound);
    check_against_softmax<Categorical<16>, TestType>(bound);
    check_against_softmax<Categorical<17>, TestType>(bound);
  }
}

TEMPLATE_TEST_CASE("256 levels are a softmax too", "[likelihood][categorical]", float, double) {
  using L = Categorical<256>;
  const std::vector<TestType> z = random_logits<TestType>(256, 3, 5);
  const std::vector<long double> p = softmax(z);
  std::vector<TestType> log_p(256), d(256);
  L::log_probabilities(z.data(), log_p.data());
  L::add_gradient(z.data(), 200, TestType{1}, d.data());
  double sum = 0, slopes = 0;
  const double margin = 64 * static_cast<double>(std::numeric_limits<TestType>::epsilon());
  for (std::size_t v = 0; v < 256; ++v) {
    sum += std::exp(static_cast<double>(log_p[v]));
    slopes += static_cast<double>(d[v]);
    CHECK(static_cast<double>(log_p[v]) ==
          Approx(static_cast<double>(std::log(p[v]))).margin(margin));
    CHECK(static_cast<double>(d[v]) ==
          Approx(static_cast<double>(p[v]) - (v == 200 ? 1 : 0)).margin(margin));
  }
  CHECK(sum == Approx(1).margin(margin));
  CHECK(slopes == Approx(0).margin(margin));
}

TEMPLATE_TEST_CASE("A softmax does not overflow, wherever its logits are",
                   "[likelihood][categorical]", float, double) {
  using L = Categorical<3>;
  for (const TestType shift : {TestType(1000), TestType(-1000), TestType(1e30)}) {
    CAPTURE(shift);
    const std::array<TestType, 3> equal{shift, shift, shift};
    CHECK(static_cast<double>(L::nats(equal.data(), 1)) ==
          Approx(std::log(3.0)).margin(1e-6 * std::abs(static_cast<double>(shift))));
    const std::array<TestType, 3> far{shift, 0, -shift};
    const TestType nats = L::nats(far.data(), 1);
    CHECK(nats == std::abs(shift));
    std::array<TestType, 3> d{};
    L::add_gradient(far.data(), 1, TestType{1}, d.data());
    CHECK(d[shift > 0 ? 0 : 2] == 1);
    CHECK(d[1] == -1);
    CHECK(d[shift > 0 ? 2 : 0] == 0);
  }
}

TEST_CASE("Two levels of a softmax are a sigmoid of the difference", "[likelihood][categorical]") {
  const std::array<double, 2> z{0.3, -1.1};
  CHECK(Categorical<2>::nats(z.data(), 1) == Approx(std::log1p(std::exp(0.3 + 1.1))));
}

TEMPLATE_TEST_CASE("A NaN anywhere among the logits shows in every result",
                   "[likelihood][categorical]", float, double) {
  using L = Categorical<3>;
  for (std::size_t at = 0; at < 3; ++at) {
    std::array<TestType, 3> z{1, 2, 3};
    z[at] = std::numeric_limits<TestType>::quiet_NaN();
    std::array<TestType, 3> log_p{}, d{};
    L::log_probabilities(z.data(), log_p.data());
    for (int level = 0; level < 3; ++level) {
      CAPTURE(at, level);
      CHECK(std::isnan(L::nats(z.data(), level)));
      CHECK(std::isnan(log_p[static_cast<std::size_t>(level)]));
    }
    L::add_gradient(z.data(), 0, TestType{1}, d.data());
    for (const TestType slope : d) CHECK(std::isnan(slope));
  }
}

TEST_CASE("A categorical likelihood is named by its levels", "[likelihood][categorical]") {
  STATIC_REQUIRE(Categorical<>::levels == 256);
  STATIC_REQUIRE(Categorical<5>::outputs == 5);
  CHECK(Categorical<256>::name() == "categorical256");
}
