// SPDX-License-Identifier: MIT
// Do draws come from a distribution? The chi-square of verify_distribution, for any counts.
#pragma once

#include <cstddef>
#include <vector>

#include <pixelrnn/verify/chi_square.hpp>

namespace pixelrnn::test {

using pixelrnn::detail::chi_square_tail;

/// The p-value of counts as draws from the distribution p.
[[nodiscard]] inline double chi_square_test(const std::vector<std::size_t>& counts,
                                            const std::vector<double>& p) {
  return pixelrnn::detail::chi_square(counts, p).p_value;
}

}  // namespace pixelrnn::test
