// SPDX-License-Identifier: MIT
// A variational free energy by REINFORCE (Wu, Wang & Zhang 2019, arXiv 1809.10606): no data, but an
// energy. The Ising model on a torus, whose free energy is known, in double precision.
//   example_reinforce [SIDE STEPS]
#include <algorithm>
#include <cmath>
#include <iostream>
#include <numbers>
#include <string>
#include <vector>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

constexpr double beta = 0.44;

/// -Σ s_i s_j over neighbours; levels 0 and 1 are spins -1 and 1.
double energy(TensorView<const Images::Level, 3> image) {
  const Index side = image.shape()[0];
  const auto spin = [&](Index y, Index x) { return 2.0 * image(y % side, x % side, 0) - 1; };
  double sum = 0;
  for (Index y = 0; y < side; ++y) {
    for (Index x = 0; x < side; ++x) sum -= spin(y, x) * (spin(y, x + 1) + spin(y + 1, x));
  }
  return sum;
}
/// Of all 2^(n²) states, in closed form (Kaufman 1949, Phys. Rev. 76, 1232):
///   Z = ½ (2 sinh 2K)^(n²/2) Σ of four products of 2 cosh or 2 sinh (n γ_l / 2), l odd or even,
///   cosh γ_l = cosh 2K coth 2K - cos(π l / n),   γ_0 = 2K + ln tanh K
double exact_free_energy(Index n) {
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

int main(int argc, char** argv) {
  const bool is_given = argc == 3;
  const Index side = is_given ? std::stol(argv[1]) : 4;
  const Index steps = is_given ? std::stol(argv[2]) : 300, last = steps / 6, count = 128;
  Rng rng(1);
  // A recurrence sees the other side of the torus, whatever its size. Of q and of its mirror image,
  // with all spins turned, the mean is taken: else q would keep to one magnetisation at this beta.
  using Recurrence = DiagonalBiLSTM<LearnedState, Backend<double>>;
  PixelRNN<Recurrence> q({.image = {side, side, 1}, .layers = 2, .hidden = 16}, rng);
  BatchGradient loss(q, 0);
  Gradients gradients(q);
  Optimizer optimizer(Adam{.learning_rate = 5e-3}, parameters(q));
  std::vector<double> f(static_cast<std::size_t>(count)), own(f.size()), weights(2 * f.size());
  double tail = 0;
  for (Index step = 0; step < steps; ++step) {
    const Sampled drawn = sample_with_log_p(q, count, {.seed = static_cast<std::uint64_t>(step)});
    Images both(2 * count, drawn.images.image_shape(), 2);  // as drawn, and turned
    for (Index i = 0; i < drawn.images.pixels().size(); ++i) {
      const Images::Level level = drawn.images.pixels().data()[i];
      both.pixels().data()[i] = level;
      both.pixels().data()[drawn.images.pixels().size() + i] = 1 - level;
    }
    const Evaluation turned = evaluate(q, both.slice(count, count));
    double mean = 0;
    for (std::size_t i = 0; i < f.size(); ++i) {
      // ln ½(q(x) + q(-x)), and how much of it is q(x)'s.
      own[i] = 1 / (1 + std::exp(-turned.image_nats[i].value - drawn.log_p[i]));
      const double log_q = drawn.log_p[i] - std::log(2 * own[i]);
      f[i] = beta * energy(both[static_cast<Index>(i)]) + log_q;
      mean += f[i] / static_cast<double>(count);
    }
    // dF = E[(f - mean f) d ln q]; the loss is Σ weight · (-ln q).
    for (std::size_t i = 0; i < f.size(); ++i) {
      const double weight = (mean - f[i]) / static_cast<double>(count);
      weights[i] = weight * own[i], weights[f.size() + i] = weight * (1 - own[i]);
    }
    gradients.clear();
    static_cast<void>(loss(Batch(both, weights), gradients));
    clip_gradients(gradients, 1);
    optimizer.step(gradients, cosine_rate(steps)(step));
    if (step >= steps - last) tail += mean / beta / static_cast<double>(last);
  }
  const double exact = exact_free_energy(side), spins = static_cast<double>(side * side);
  const double error = (tail - exact) / std::abs(exact);
  std::cout << "free energy a spin: " << tail / spins << ", exactly " << exact / spins
            << ", relative error " << error << '\n';
  // Variational: never below but for the noise of the mean.
  return error > -1e-3 && error < 1e-2 ? 0 : 1;
}
