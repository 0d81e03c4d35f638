// SPDX-License-Identifier: MIT
// A variational free energy by REINFORCE (Wu, Wang & Zhang 2019, arXiv 1809.10606): no data, but an
// energy. The Ising model on a 4×4 torus, whose 65,536 states can be summed.
#include <cmath>
#include <iostream>
#include <vector>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

constexpr Index side = 4;
constexpr double beta = 0.44;

/// -Σ s_i s_j over neighbours; levels 0 and 1 are spins -1 and 1.
template <class Image>
double energy(const Image& image) {
  const auto spin = [&](Index y, Index x) { return 2.0 * image(y % side, x % side, 0) - 1; };
  double sum = 0;
  for (Index y = 0; y < side; ++y) {
    for (Index x = 0; x < side; ++x) sum -= spin(y, x) * (spin(y, x + 1) + spin(y + 1, x));
  }
  return sum;
}
double exact_free_energy() {
  double z = 0;
  Images state(1, {side, side, 1}, 2);
  for (int bits = 0; bits < 1 << (side * side); ++bits) {
    for (Index i = 0; i < side * side; ++i) {
      state[0](i / side, i % side, 0) = static_cast<Images::Level>(bits >> i & 1);
    }
    z += std::exp(-beta * energy(state[0]));
  }
  return -std::log(z) / beta;
}

int main() {
  Rng rng(1);
  GatedPixelCNN<> q({.image = {side, side, 1}, .layers = 3, .hidden = 12, .head = 12}, rng);
  BatchGradient gradient(q, 0);
  Optimizer optimizer(Adam{.learning_rate = 5e-3}, parameters(q));
  constexpr Index count = 128;
  std::vector<double> f(count), weights(count);
  double tail = 0;
  constexpr int steps = 300, last = 50;
  for (int step = 0; step < steps; ++step) {
    const Sampled drawn = sample_with_log_p(q, count, {.seed = static_cast<std::uint64_t>(step)});
    double mean = 0;
    for (Index n = 0; n < count; ++n) {
      const auto i = static_cast<std::size_t>(n);
      f[i] = beta * energy(drawn.images[n]) + drawn.log_p[i];
      mean += f[i] / count;
    }
    // dF = E[(f - mean f) d ln q]; the loss is Σ weight · (-ln q).
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = (mean - f[i]) / count;
    clear_gradients(q);
    static_cast<void>(gradient(Batch(drawn.images, weights)));
    clip_gradients(parameters(q), 1);
    optimizer.step(cosine_rate(steps)(step));
    if (step >= steps - last) tail += mean / beta / last;
  }
  const double exact = exact_free_energy();
  std::cout << "free energy a spin: " << tail / (side * side) << ", exactly "
            << exact / (side * side) << '\n';
  const double error = (tail - exact) / std::abs(exact);
  // Variational: never below but for the noise of the mean.
  return error > -1e-3 && error < 1e-2 ? 0 : 1;
}
