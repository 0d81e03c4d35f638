// SPDX-License-Identifier: MIT
// The Ising model on a torus of n × n spins: its energy, and what there is to compare with.
#pragma once

#include <cmath>
#include <numbers>

#include <pixelrnn/core/tensor.hpp>

namespace ising {

using namespace pixelrnn;

/// -Σ s_i s_j over neighbours; levels 0 and 1 are spins -1 and 1.
[[nodiscard]] inline double energy(TensorView<const Images::Level, 3> image) {
  const Index side = image.shape()[0];
  const auto spin = [&](Index y, Index x) { return 2.0 * image(y % side, x % side, 0) - 1; };
  double sum = 0;
  for (Index y = 0; y < side; ++y) {
    for (Index x = 0; x < side; ++x) sum -= spin(y, x) * (spin(y, x + 1) + spin(y + 1, x));
  }
  return sum;
}
/// Of all 2^(n²) states, at inverse temperature beta, in closed form (Kaufman 1949, Phys. Rev. 76,
/// 1232):
///   Z = ½ (2 sinh 2K)^(n²/2) Σ of four products of 2 cosh or 2 sinh (n γ_l / 2), l odd or even,
///   cosh γ_l = cosh 2K coth 2K - cos(π l / n),   γ_0 = 2K + ln tanh K
[[nodiscard]] inline double exact_free_energy(Index n, double beta) {
  const double size = static_cast<double>(n), k = beta;
  double products[4] = {1, 1, 1, 1};
  const double scale = std::sqrt(2 * std::sinh(2 * k));  // of each factor, so that none overflows
  for (Index l = 0; l < 2 * n; ++l) {
    const double gamma =
        l == 0 ? 2 * k + std::log(std::tanh(k))
               : std::acosh(std::cosh(2 * k) / std::tanh(2 * k) -
                            std::cos(std::numbers::pi * static_cast<double>(l) / size));
    const double half = size * gamma / 2, factor = std::pow(scale, size);
    products[l % 2 * 2] *= 2 * std::cosh(half) * factor;
    products[l % 2 * 2 + 1] *= 2 * std::sinh(half) * factor;
  }
  return -std::log((products[0] + products[1] + products[2] + products[3]) / 2) / beta;
}

}  // namespace ising
