// SPDX-License-Identifier: MIT
// Do draws come from a distribution? Pearson's chi-square with its probability.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <pixelrnn/core/shape.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

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

struct ChiSquare {
  Index freedom = 0;   ///< 0: one outcome alone is expected often enough, which proves little
  double p_value = 1;  ///< of counts as far from their expectation as these, or further
};

/// Whether counts are draws from the distribution p. Outcomes expected fewer than 5 times are
/// counted as one. If even that is expected less than once, chi-square does not fit it: then the
/// p-value is that of so many rare draws by Poisson, P(a, x) of the same Γ, if it is the smaller
/// one; what cannot be and was drawn has p-value 0.
[[nodiscard]] inline ChiSquare chi_square(const std::vector<std::size_t>& counts,
                                          const std::vector<double>& p) {
  double draws = 0;
  for (const std::size_t count : counts) draws += static_cast<double>(count);
  double statistic = 0, rare = 0, expected_rare = 0;
  Index cells = 0;
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
  ChiSquare found;
  if (expected_rare >= 1) {
    add(rare, expected_rare);
  } else if (rare > 0) {
    found.p_value = 1 - upper_gamma_ratio(rare, expected_rare);
  }
  if (cells < 2) return found;
  found.freedom = cells - 1;
  found.p_value =
      std::min(found.p_value, chi_square_tail(statistic, static_cast<double>(found.freedom)));
  return found;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
