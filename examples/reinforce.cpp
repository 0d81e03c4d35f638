// SPDX-License-Identifier: MIT
// A variational free energy by REINFORCE (Wu, Wang & Zhang 2019, arXiv 1809.10606): no data, but an
// energy. The Ising model on a torus, whose free energy is known, in double precision.
//   example_reinforce [SIDE STEPS]
#include <algorithm>
#include <cmath>
#include <iostream>
#include <string>
#include <vector>

#include <pixelrnn/pixelrnn.hpp>

#include "ising.hpp"

using namespace pixelrnn;

constexpr double beta = 0.44;

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
      f[i] = beta * ising::energy(both[static_cast<Index>(i)]) + log_q;
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
  const double exact = ising::exact_free_energy(side, beta),
               spins = static_cast<double>(side * side);
  const double error = (tail - exact) / std::abs(exact);
  std::cout << "free energy a spin: " << tail / spins << ", exactly " << exact / spins
            << ", relative error " << error << '\n';
  // Variational: never below but for the noise of the mean.
  return error > -1e-3 && error < 1e-2 ? 0 : 1;
}
