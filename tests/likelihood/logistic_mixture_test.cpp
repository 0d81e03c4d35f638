// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <pixelrnn/core/random.hpp>
#include <pixelrnn/likelihood/logistic_mixture.hpp>
#include <pixelrnn/sampling/rules.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

using Pixel = std::vector<Images::Level>;

/// Logits whose scales reach from the least to wide.
template <class T>
std::vector<T> mixture_logits(const LogisticMixture& mixture, Index channels, std::uint64_t seed) {
  Rng rng(seed);
  const Index k = mixture.components();
  std::vector<T> z(static_cast<std::size_t>(mixture.outputs(channels)));
  for (T& v : z) v = static_cast<T>(rng.uniform(-1, 1));
  for (Index c = 0; c < channels; ++c) {
    for (Index i = 0; i < k; ++i) {
      z[static_cast<std::size_t>(k * (2 + 2 * c) + i)] = static_cast<T>(rng.uniform(-5, 0));
    }
  }
  return z;
}

/// The equations as they stand in the paper, with digits to spare: P of a whole pixel.
template <class T>
long double naive_probability(const LogisticMixture& mixture, const std::vector<T>& z,
                              const Pixel& pixel) {
  const auto at = [&](Index i) { return static_cast<long double>(z[static_cast<std::size_t>(i)]); };
  const auto sigmoid = [](long double v) { return 1 / (1 + std::exp(-v)); };
  const Index k = mixture.components(), channels = std::ssize(pixel);
  const long double half = 1.0L / (mixture.levels() - 1);
  const auto x = [&](Index c) { return 2 * half * pixel[static_cast<std::size_t>(c)] - 1; };
  long double sum = 0, p = 0;
  for (Index i = 0; i < k; ++i) sum += std::exp(at(i));
  for (Index i = 0; i < k; ++i) {
    long double product = std::exp(at(i)) / sum;
    for (Index c = 0, coefficient = k * (1 + 2 * channels) + i; c < channels; ++c) {
      long double mean = at(k * (1 + 2 * c) + i);
      for (Index d = 0; d < c; ++d, coefficient += k) mean += std::tanh(at(coefficient)) * x(d);
      const long double least = -7 - std::log((mixture.levels() - 1) / 255.0L);
      const long double s = std::exp(std::max(at(k * (2 + 2 * c) + i), least));
      const auto level = pixel[static_cast<std::size_t>(c)];
      const long double above =
          level == mixture.levels() - 1 ? 1 : sigmoid((x(c) + half - mean) / s);
      const long double below = level == 0 ? 0 : sigmoid((x(c) - half - mean) / s);
      product *= above - below;
    }
    p += product;
  }
  return p;
}

}  // namespace

TEMPLATE_TEST_CASE("A logistic mixture has the probabilities of its paper",
                   "[likelihood][logistic_mixture]", float, double) {
  Rng rng(3);
  for (const int levels : {2, 3, 16, 256}) {
    for (const Index channels : {1, 2, 3}) {
      for (const int components : {1, 5, 17}) {
        const LogisticMixture mixture(levels, components);
        const auto z = mixture_logits<TestType>(mixture, channels, 1);
        Pixel pixel(static_cast<std::size_t>(channels));
        for (int round = 0; round < 20; ++round) {
          for (auto& v : pixel)
            v = static_cast<Images::Level>(rng.below(static_cast<std::uint64_t>(levels)));
          CAPTURE(levels, channels, components, round);
          const long double p = naive_probability(mixture, z, pixel);
          if (p < 1e-12L) continue;  // of which the naive one has lost digits
          CHECK(mixture.nats(z.data(), pixel) ==
                Approx(static_cast<double>(-std::log(p))).epsilon(1e-6).margin(1e-6));
        }
      }
    }
  }
}

TEST_CASE("A logistic mixture's levels sum to 1, however many there are",
          "[likelihood][logistic_mixture]") {
  for (const int levels : {2, 5, 256, 65536}) {
    const LogisticMixture mixture(levels, 3);
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      const auto z = mixture_logits<double>(mixture, 1, seed);
      std::vector<double> room;
      const auto p = mixture.conditional(z.data(), Pixel{0}, 0, room);
      double sum = 0, worst = 0;
      for (int v = 0; v < levels; ++v) {
        worst = std::max(worst, std::abs(p.below(v) - sum));
        sum += std::exp(p.log_probability(v));
        if (levels < 300) {
          CHECK(
              -p.log_probability(v) ==
              Approx(mixture.nats(z.data(), Pixel{static_cast<Images::Level>(v)})).epsilon(1e-12));
        }
      }
      CAPTURE(levels, seed);
      CHECK(sum == Approx(1).epsilon(1e-11));
      CHECK(worst < 1e-11);
      CHECK((p.below(0) == 0 && p.below(levels) == 1));
    }
  }
}

TEST_CASE("All colours of a logistic mixture sum to 1, and its conditionals are the joint's",
          "[likelihood][logistic_mixture]") {
  const LogisticMixture mixture(5, 3);
  const auto z = mixture_logits<double>(mixture, 3, 2);
  double sum = 0;
  Pixel pixel(3);
  for (int i = 0; i < 125; ++i) {
    for (std::size_t c = 0, rest = static_cast<std::size_t>(i); c < 3; ++c, rest /= 5) {
      pixel[c] = static_cast<Images::Level>(rest % 5);
    }
    const double nats = mixture.nats(z.data(), pixel);
    sum += std::exp(-nats);
    std::vector<double> room;
    double chain = 0;
    for (std::size_t c = 0; c < 3; ++c) {
      const auto p = mixture.conditional(z.data(), pixel, static_cast<Index>(c), room);
      chain -= p.log_probability(pixel[c]);
    }
    CHECK(chain == Approx(nats).epsilon(1e-12));
  }
  CHECK(sum == Approx(1).epsilon(1e-12));
}

TEST_CASE("Without coefficients a channel still tells which component it is of",
          "[likelihood][logistic_mixture]") {
  // The classic mistake is to draw later channels by the weights that the first one has.
  const LogisticMixture mixture(5, 2);
  std::vector<double> z{0, 0, -1, 1, -3, -3, -1, 1, -3, -3, 0, 0}, room;
  const double dark = mixture.conditional(z.data(), Pixel{0, 0}, 1, room).below(2);
  const double light = mixture.conditional(z.data(), Pixel{4, 0}, 1, room).below(2);
  CHECK(dark > 0.99);
  CHECK(light < 0.01);
  CHECK(mixture.conditional(z.data(), Pixel{0, 0}, 0, room).below(2) == Approx(0.5));
}

TEMPLATE_TEST_CASE("The gradient of a logistic mixture is that of its nats",
                   "[likelihood][logistic_mixture]", float, double) {
  for (const Index channels : {1, 3}) {
    for (const int levels : {2, 7, 256}) {
      const LogisticMixture mixture(levels, 9);
      auto z = mixture_logits<TestType>(mixture, channels, 4);
      for (const int level : {0, 1, levels / 2, levels - 1}) {
        const Pixel pixel(static_cast<std::size_t>(channels), static_cast<Images::Level>(level));
        std::vector<TestType> d(z.size(), TestType{2});
        mixture.add_gradient(z.data(), pixel, TestType{-3}, d.data());
        std::vector<double> exact(z.begin(), z.end());
        for (std::size_t i = 0; i < z.size(); ++i) {
          CAPTURE(channels, levels, level, i);
          const double step = 1e-5, value = exact[i];
          exact[i] = value + step;
          const double up = mixture.nats(exact.data(), pixel);
          exact[i] = value - step;
          const double down = mixture.nats(exact.data(), pixel);
          exact[i] = value;
          CHECK(static_cast<double>(d[i]) ==
                Approx(2 - 3 * (up - down) / (2 * step)).epsilon(1e-4).margin(2e-5));
        }
      }
    }
  }
}

TEST_CASE("Far from every component a logistic mixture loses no digits",
          "[likelihood][logistic_mixture]") {
  const LogisticMixture mixture(256, 1);
  // The least scale, at the other end: σ(a) - σ(b) are both 1 to the last digit.
  const std::vector<double> z{0, -1, -7};
  const double s = std::exp(-7.0), a = (1.0 - 1.0 / 255 + 1) / s;
  const Pixel white{254};
  CHECK(mixture.nats(z.data(), white) ==
        Approx(a - 2 / 255.0 / s - std::log1p(-std::exp(-2 / 255.0 / s))).epsilon(1e-3));
  CHECK(mixture.nats(z.data(), white) > 2000);
  std::vector<double> d(3);
  mixture.add_gradient(z.data(), white, 1.0, d.data());
  CHECK(d[1] == Approx(-1 / s).epsilon(1e-6));
  // Below the least scale there is no slope.
  const std::vector<double> narrow{0, -1, -9};
  CHECK(mixture.nats(narrow.data(), white) == mixture.nats(z.data(), white));
  std::fill(d.begin(), d.end(), 0.0);
  mixture.add_gradient(narrow.data(), white, 1.0, d.data());
  CHECK(d[2] == 0);
}

TEST_CASE("Draws from a logistic mixture are distributed as it says",
          "[likelihood][logistic_mixture]") {
  const LogisticMixture mixture(16, 4);
  const auto z = mixture_logits<float>(mixture, 2, 6);
  const Pixel pixel{9, 0};
  std::vector<double> room;
  const auto p = mixture.conditional(z.data(), pixel, 1, room);
  std::vector<double> expected(16), counts(16);
  constexpr int draws = 20000;
  Rng rng(1);
  for (int i = 0; i < draws; ++i) {
    const DrawSite site{};
    ++counts[static_cast<std::size_t>(Multinomial{}.draw(p, rng.uniform(), site))];
  }
  double chi = 0;
  int cells = 0;
  for (int v = 0; v < 16; ++v) {
    const double e = draws * std::exp(p.log_probability(v));
    if (e < 5) continue;
    chi += std::pow(counts[static_cast<std::size_t>(v)] - e, 2) / e, ++cells;
  }
  CHECK(cells > 5);
  CHECK(chi < 3.0 * cells);
}

TEST_CASE("A NaN in a logistic mixture shows", "[likelihood][logistic_mixture]") {
  const LogisticMixture mixture(256, 2);
  for (std::size_t i = 0; i < 6; ++i) {
    auto z = mixture_logits<float>(mixture, 1, 1);
    z[i] = std::numeric_limits<float>::quiet_NaN();
    CAPTURE(i);
    CHECK(std::isnan(mixture.nats(z.data(), Pixel{7})));
    std::vector<double> room;
    CHECK(std::isnan(mixture.conditional(z.data(), Pixel{7}, 0, room).log_probability(3)));
  }
}

TEST_CASE("A logistic mixture is named by its levels and components",
          "[likelihood][logistic_mixture]") {
  const LogisticMixture mixture(256, 5);
  CHECK(mixture.name() == "logistic_mixture256x5");
  CHECK(mixture.outputs(1) == 15);
  CHECK(mixture.outputs(3) == 50);
  const auto same = LogisticMixture::named("logistic_mixture16x7");
  REQUIRE(same.has_value());
  CHECK((same->levels() == 16 && same->components() == 7));
  for (const char* const bad :
       {"logistic_mixture", "logistic_mixture16", "logistic_mixture16x", "logistic_mixture1x5",
        "logistic_mixture16x65", "logistic_mixture16x5 ", "categorical16"}) {
    CHECK_FALSE(LogisticMixture::named(bad).has_value());
  }
  CHECK_THROWS_ERROR(LogisticMixture(1), ConfigError, "LogisticMixture: levels is 1");
  CHECK_THROWS_ERROR(LogisticMixture(256, 65), ConfigError,
                     "LogisticMixture: components is 65, expected 1 to 64");
}
