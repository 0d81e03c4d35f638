// SPDX-License-Identifier: MIT
// Sampling rules: which level to take, given the probabilities of all and one random number.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <span>

#include <pixelrnn/core/shape.hpp>
#include <pixelrnn/simd/math.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A rule picks a level from ln p of each level, which it may overwrite, and u uniform in [0, 1).
/// check() throws ConfigError on settings that cannot work.
template <class R>
concept SamplingRule = requires(const R& rule, std::span<double> log_p, double u) {
  { rule.draw(log_p, u) } -> std::same_as<int>;
  (rule.check)();
};

namespace detail {
/// From ln p to p, in the same bits on every machine.
inline void exponentiate(std::span<double> log_p) {
  simd::transform(std::ssize(log_p), log_p.data(), log_p.data(),
                  [](simd::Batch<double> x) { return simd::exp(x); });
}
}  // namespace detail

/// A draw from the model's own distribution, by inverting its cumulative sum. Never a level of
/// probability 0: what rounding leaves of the sum goes to the last level that has any.
struct Multinomial {
  void(check)() const {}
  [[nodiscard]] int draw(std::span<double> log_p, double u) const {
    detail::exponentiate(log_p);
    return draw_of(log_p, u);
  }
  /// The first level whose cumulative weight exceeds u, uniform from 0 to the sum of all weights.
  [[nodiscard]] static int draw_of(std::span<const double> weights, double u) {
    double below = 0;
    int last = 0;
    for (std::size_t v = 0; v < weights.size(); ++v) {
      below += weights[v];
      if (u < below) return static_cast<int>(v);
      if (weights[v] > 0) last = static_cast<int>(v);
    }
    return last;
  }
};

/// A draw from p^(1/temperature), normalised: below 1 bolder, above 1 wilder, 1 is Multinomial.
struct Temperature {
  double temperature = 1;

  void(check)() const {
    if (!(temperature > 0 && std::isfinite(temperature))) {
      detail::fail<ConfigError>("Temperature: temperature is ", temperature,
                                ", expected a finite number above 0 (for the most probable level ",
                                "use Argmax)");
    }
  }
  [[nodiscard]] int draw(std::span<double> log_p, double u) const {
    // The largest becomes 0 first: a low temperature would make all of them -infinity.
    const double top = *std::max_element(log_p.begin(), log_p.end());
    for (double& l : log_p) l = (l - top) / temperature;
    detail::exponentiate(log_p);
    double sum = 0;
    for (const double p : log_p) sum += p;
    return Multinomial::draw_of(log_p, u * sum);
  }
};

/// The most probable level (the lowest of equals); needs no randomness.
struct Argmax {
  void(check)() const {}
  [[nodiscard]] int draw(std::span<double> log_p, double) const {
    return static_cast<int>(std::max_element(log_p.begin(), log_p.end()) - log_p.begin());
  }
};

static_assert(SamplingRule<Multinomial> && SamplingRule<Temperature> && SamplingRule<Argmax>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
