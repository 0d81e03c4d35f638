// SPDX-License-Identifier: MIT
// Do draws come from a distribution? Pearson's chi-square with its probability.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace pixelrnn::test {

/// Q(a, x) = Γ(a, x) / Γ(a): the series of P = 1 - Q for small x, Legendre's continued fraction (by
/// the modified method of Lentz) for large (Abramowitz & Stegun 6.5.29 and 6.5.31).
[[nodiscard]] inline double upper_gamma_ratio(double a, double x) {
  if (x <= 0) return 1;
  const double factor = std::exp(a * std::log(x) - x - std::lgamma(a));
  if (x < a + 1) {
    double term = 1 / a, sum = term;
    for (double n = a + 1; term > sum * 1e-16; ++n) sum += term *= x / n;
    return 1 - factor * sum;
  }
  double b = x + 1 - a, c = 1e300, d = 1 / b, fraction = d;
  for (double n = 1, change = 0; std::abs(change - 1) > 1e-15; ++n) {
    const double numerator = n * (a - n);
    b += 2;
    d = 1 / (numerator * d + b);
    c = b + numerator / c;
    change = c * d;
    fraction *= change;
  }
  return factor * fraction;
}

/// The probability that chi-square with `freedom` degrees of freedom is at least `statistic`.
[[nodiscard]] inline double chi_square_tail(double statistic, double freedom) {
  return upper_gamma_ratio(freedom / 2, statistic / 2);
}

/// The probability of counts as far from their expectation as these, or further, if they are draws
/// from the distribution p. Outcomes expected fewer than 5 times are counted as one.
[[nodiscard]] inline double chi_square_test(const std::vector<std::size_t>& counts,
                                            const std::vector<double>& p) {
  double draws = 0;
  for (const std::size_t count : counts) draws += static_cast<double>(count);
  double statistic = 0, cells = 0, rare = 0, expected_rare = 0;
  const auto add = [&](double count, double expected) {
    statistic += (count - expected) * (count - expected) / expected;
    ++cells;
  };
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double count = static_cast<double>(counts[i]), expected = draws * p[i];
    if (expected < 5) {
      rare += count;
      expected_rare += expected;
    } else {
      add(count, expected);
    }
  }
  if (expected_rare > 0) add(rare, expected_rare);
  return chi_square_tail(statistic, cells - 1);
}

}  // namespace pixelrnn::test
