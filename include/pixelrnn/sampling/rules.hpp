// SPDX-License-Identifier: MIT
// Sampling rules: which level to take, given the distribution and one random number.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <span>

#include <pixelrnn/core/images.hpp>
#include <pixelrnn/simd/math.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Where a rule draws, and what is there already.
struct DrawSite {
  std::uint64_t image;  ///< its number, from SampleOptions::first on
  Index row, column, channel;
  TensorView<const Images::Level, 3> drawn;  ///< the image; only levels before this place, in the
                                             ///< model's order, are final
  std::span<double> room;                    ///< as many numbers as levels, to work in
};

namespace detail {
/// The least that a rule can rely on (see likelihood.hpp): any Conditional.
struct AnyConditional {
  [[nodiscard]] int levels() const;
  [[nodiscard]] double log_probability(int level) const;
  [[nodiscard]] double below(int level) const;
};
}  // namespace detail

/// A rule picks a level of a Conditional p, given u uniform in [0, 1) and where that is; bits are
/// the same on every machine if it takes functions of <pixelrnn/simd/math.hpp>, not of <cmath>.
/// check() throws ConfigError on settings that cannot work.
template <class R>
concept SamplingRule = requires(const R& rule, const detail::AnyConditional& p, double u,
                                const DrawSite& site) {
  { rule.draw(p, u, site) } -> std::same_as<int>;
  (rule.check)();
};

/// A draw from the model's own distribution: the level whose share of [0, 1) holds u, found by
/// halving. Never a level of probability 0. Cost: log2(levels) evaluations of p.below.
struct Multinomial {
  void(check)() const {}
  template <class P>
  [[nodiscard]] int draw(const P& p, double u, const DrawSite&) const {
    int low = 0, high = p.levels() - 1;
    while (low < high) {
      const int middle = low + (high - low) / 2;
      if (u < p.below(middle + 1)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }
};

/// A draw from p^(1/temperature), normalised: below 1 bolder, above 1 wilder, 1 is Multinomial.
/// Cost: all levels.
struct Temperature {
  double temperature = 1;

  void(check)() const {
    if (!(temperature > 0 && std::isfinite(temperature))) {
      detail::fail<ConfigError>("Temperature: temperature is ", temperature,
                                ", expected a finite number above 0 (for the most probable level ",
                                "use Argmax)");
    }
  }
  template <class P>
  [[nodiscard]] int draw(const P& p, double u, const DrawSite& site) const {
    const std::span<double> weights = site.room;
    for (std::size_t v = 0; v < weights.size(); ++v) {
      weights[v] = p.log_probability(static_cast<int>(v));
    }
    // The largest becomes 0 first: a low temperature would make all of them -infinity.
    const double top = *std::max_element(weights.begin(), weights.end());
    for (double& w : weights) w = (w - top) / temperature;
    simd::transform(std::ssize(weights), weights.data(), weights.data(),
                    [](simd::Batch<double> x) { return simd::exp(x); });
    double sum = 0, below = 0;
    for (const double w : weights) sum += w;
    int last = 0;  // of some weight: takes what rounding leaves of the sum
    for (std::size_t v = 0; v < weights.size(); ++v) {
      below += weights[v];
      if (u * sum < below) return static_cast<int>(v);
      if (weights[v] > 0) last = static_cast<int>(v);
    }
    return last;
  }
};

/// The most probable level (the lowest of equals); needs no randomness. Cost: all levels.
struct Argmax {
  void(check)() const {}
  template <class P>
  [[nodiscard]] int draw(const P& p, double, const DrawSite&) const {
    int best = 0;
    double most = p.log_probability(0);
    for (int v = 1; v < p.levels(); ++v) {
      const double l = p.log_probability(v);
      if (l > most) best = v, most = l;
    }
    return best;
  }
};

static_assert(SamplingRule<Multinomial> && SamplingRule<Temperature> && SamplingRule<Argmax>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
