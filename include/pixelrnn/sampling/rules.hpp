// SPDX-License-Identifier: MIT
// Sampling rules: which level to take, given the probabilities of all and one random number.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <span>

#include <pixelrnn/core/shape.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A rule picks a level from ln p of each level, which it may overwrite, and u uniform in [0, 1).
/// check() throws ConfigError on settings that cannot work.
template <class R>
concept SamplingRule = requires(const R& rule, std::span<double> log_p, double u) {
  { rule.draw(log_p, u) } -> std::same_as<int>;
  (rule.check)();
};

/// A draw from the model's own distribution, by inverting its cumulative sum. Never a level of
/// probability 0: what rounding leaves of the sum goes to the last level that has any.
struct Multinomial {
  void(check)() const {}
  [[nodiscard]] int draw(std::span<double> log_p, double u) const {
    double below = 0;
    int last = 0;
    for (std::size_t v = 0; v < log_p.size(); ++v) {
      const double p = std::exp(log_p[v]);
      below += p;
      if (u < below) return static_cast<int>(v);
      if (p > 0) last = static_cast<int>(v);
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
    double sum = 0;
    for (double& l : log_p) {
      l = (l - top) / temperature;
      sum += std::exp(l);
    }
    const double norm = std::log(sum);
    for (double& l : log_p) l -= norm;
    return Multinomial{}.draw(log_p, u);
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
