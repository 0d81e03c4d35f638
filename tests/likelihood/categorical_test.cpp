// SPDX-License-Identifier: MIT
#include <algorithm>
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

template <class T>
double nats(const std::vector<T>& z, int level) {
  const Images::Level pixel[]{static_cast<Images::Level>(level)};
  return Categorical(static_cast<int>(z.size())).nats(z.data(), pixel);
}
template <class T>
void add_gradient(const std::vector<T>& z, int level, T scale, std::vector<T>& d) {
  const Images::Level pixel[]{static_cast<Images::Level>(level)};
  Categorical(static_cast<int>(z.size())).add_gradient(z.data(), pixel, scale, d.data());
}

/// The checks for one number of levels and one scalar.
template <class T>
void check_against_softmax(int levels, double bound) {
  const double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const std::vector<T> z = random_logits<T>(levels, seed, bound);
    const std::vector<long double> p = softmax(z);
    std::vector<double> room;
    const auto found = Categorical(levels).conditional(z.data(), {}, 0, room);
    REQUIRE(found.levels() == levels);
    CHECK(found.below(0) == 0);
    CHECK(found.below(levels) == 1);
    double sum = 0;
    for (int level = 0; level < levels; ++level) {
      const auto v = static_cast<std::size_t>(level);
      CAPTURE(levels, seed, level);
      const double exact = -static_cast<double>(std::log(p[v]));
      // ln Σ e^z and z_v are of the size of the logits: so is what rounding may do.
      const double margin = (16 + 4 * bound) * epsilon;
      CHECK(nats(z, level) == Approx(exact).margin(margin));
      CHECK(found.log_probability(level) == -nats(z, level));
      CHECK(found.below(level) == Approx(sum).margin(margin));
      sum += std::exp(found.log_probability(level));

      std::vector<T> d(z.size(), T{2});
      add_gradient(z, level, T{-3}, d);
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
    check_against_softmax<TestType>(2, bound);
    check_against_softmax<TestType>(3, bound);
    check_against_softmax<TestType>(16, bound);
    check_against_softmax<TestType>(17, bound);
  }
}

TEMPLATE_TEST_CASE("256 levels are a softmax too", "[likelihood][categorical]", float, double) {
  const std::vector<TestType> z = random_logits<TestType>(256, 3, 5);
  const std::vector<long double> p = softmax(z);
  std::vector<TestType> d(256);
  add_gradient(z, 200, TestType{1}, d);
  double sum = 0, slopes = 0;
  const double margin = 64 * static_cast<double>(std::numeric_limits<TestType>::epsilon());
  for (std::size_t v = 0; v < 256; ++v) {
    const double found = nats(z, static_cast<int>(v));
    sum += std::exp(-found);
    slopes += static_cast<double>(d[v]);
    CHECK(found == Approx(-static_cast<double>(std::log(p[v]))).margin(margin));
    CHECK(static_cast<double>(d[v]) ==
          Approx(static_cast<double>(p[v]) - (v == 200 ? 1 : 0)).margin(margin));
  }
  CHECK(sum == Approx(1).margin(margin));
  CHECK(slopes == Approx(0).margin(margin));
}

TEMPLATE_TEST_CASE("A softmax does not overflow, wherever its logits are",
                   "[likelihood][categorical]", float, double) {
  for (const TestType shift : {TestType(1000), TestType(-1000), TestType(1e30)}) {
    CAPTURE(shift);
    const std::vector<TestType> equal{shift, shift, shift};
    CHECK(nats(equal, 1) ==
          Approx(std::log(3.0)).margin(1e-6 * std::abs(static_cast<double>(shift))));
    const std::vector<TestType> far{shift, 0, -shift};
    CHECK(nats(far, 1) == static_cast<double>(std::abs(shift)));
    std::vector<TestType> d(3);
    add_gradient(far, 1, TestType{1}, d);
    CHECK(d[shift > 0 ? 0 : 2] == 1);
    CHECK(d[1] == -1);
    CHECK(d[shift > 0 ? 2 : 0] == 0);
  }
}

TEST_CASE("Two levels of a softmax are a sigmoid of the difference", "[likelihood][categorical]") {
  CHECK(nats(std::vector<double>{0.3, -1.1}, 1) == Approx(std::log1p(std::exp(0.3 + 1.1))));
}

TEMPLATE_TEST_CASE("A NaN anywhere among the logits shows in every result",
                   "[likelihood][categorical]", float, double) {
  for (std::size_t at = 0; at < 3; ++at) {
    std::vector<TestType> z{1, 2, 3}, d(3);
    z[at] = std::numeric_limits<TestType>::quiet_NaN();
    std::vector<double> room;
    const auto p = Categorical(3).conditional(z.data(), {}, 0, room);
    for (int level = 0; level < 3; ++level) {
      CAPTURE(at, level);
      CHECK(std::isnan(nats(z, level)));
      CHECK(std::isnan(p.log_probability(level)));
    }
    add_gradient(z, 0, TestType{1}, d);
    for (const TestType slope : d) CHECK(std::isnan(slope));
  }
}

TEST_CASE("A pixel's logits are those of one channel after the other",
          "[likelihood][categorical]") {
  const std::vector<double> z = random_logits<double>(15, 1, 2);
  const Categorical five(5);
  const Images::Level pixel[]{4, 0, 2};
  std::vector<double> d(15), room;
  five.add_gradient(z.data(), pixel, 1.0, d.data());
  double sum = 0;
  for (std::size_t c = 0; c < 3; ++c) {
    const std::vector<double> own(z.begin() + 5 * static_cast<Index>(c),
                                  z.begin() + 5 * static_cast<Index>(c + 1));
    sum += nats(own, pixel[c]);
    std::vector<double> slopes(5);
    add_gradient(own, pixel[c], 1.0, slopes);
    CHECK(std::equal(slopes.begin(), slopes.end(), d.begin() + 5 * static_cast<Index>(c)));
    const auto p = five.conditional(z.data(), pixel, static_cast<Index>(c), room);
    CHECK(p.log_probability(pixel[c]) == -nats(own, pixel[c]));
  }
  CHECK(five.nats(z.data(), pixel) == sum);
}

TEST_CASE("65536 levels are a softmax too", "[likelihood][categorical]") {
  const std::vector<float> z = random_logits<float>(65536, 2, 5);
  const std::vector<long double> p = softmax(z);
  std::vector<double> room;
  const auto found = Categorical(65536).conditional(z.data(), {}, 0, room);
  long double below = 0;
  double worst = 0;
  for (int level = 0; level < 65536; ++level) {
    worst = std::max(worst, std::abs(found.below(level) - static_cast<double>(below)));
    const long double exact = p[static_cast<std::size_t>(level)];
    worst = std::max(
        worst, std::abs(found.log_probability(level) - static_cast<double>(std::log(exact))) / 10);
    below += exact;
  }
  CHECK(worst < 1e-6);
}

TEST_CASE("A categorical likelihood is named by its levels", "[likelihood][categorical]") {
  CHECK(Categorical().levels() == 256);
  CHECK(Categorical(5).outputs(1) == 5);
  CHECK(Categorical(5).outputs(3) == 15);
  CHECK(Categorical().name() == "categorical256");
  for (const int bad : {-1, 0, 1, 65537}) CHECK_THROWS_AS(Categorical(bad), ConfigError);
  CHECK_THROWS_ERROR(Categorical(1), ConfigError, "Categorical: levels is 1, expected 2 to 65536");
}
