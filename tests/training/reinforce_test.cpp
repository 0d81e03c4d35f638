// SPDX-License-Identifier: MIT
// Batches whose images weigh something: REINFORCE on a lattice (Wu, Wang & Zhang 2019,
// arXiv 1809.10606), against what can be counted.
#include <cmath>
#include <vector>

#include <pixelrnn/optim/optimizer.hpp>
#include <pixelrnn/sampling/sample.hpp>
#include <pixelrnn/training/batch_gradient.hpp>
#include <pixelrnn/training/evaluate.hpp>

#include <pixelrnn/models/pixel_rnn.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

using Spins = PixelRNN<DiagonalBiLSTM<LearnedState, Backend<double>>>;
constexpr ImageShape lattice{3, 3, 1};
constexpr double beta = 0.6;

/// E(x) = -Σ s s' over neighbours of an open lattice, s = ±1.
double energy(TensorView<const Images::Level, 3> x) {
  const auto spin = [&](Index r, Index j) { return x(r, j, 0) == 1 ? 1.0 : -1.0; };
  double sum = 0;
  for (Index r = 0; r < lattice.height; ++r) {
    for (Index j = 0; j < lattice.width; ++j) {
      if (r > 0) sum -= spin(r, j) * spin(r - 1, j);
      if (j > 0) sum -= spin(r, j) * spin(r, j - 1);
    }
  }
  return sum;
}
/// β F = -ln Z, by counting.
double exact_free_energy(const Images& all) {
  double z = 0;
  for (Index n = 0; n < all.count(); ++n) z += std::exp(-beta * energy(all[n]));
  return -std::log(z);
}
/// E over q of β E(x) + ln q(x), by counting; and each image's q and β E + ln q.
struct Variational {
  double value = 0;
  std::vector<double> q, f;
};
template <class M>
Variational variational(const M& model, const Images& all) {
  Variational found;
  for (const Nats nats : evaluate(model, all).image_nats) {
    const auto n = static_cast<Index>(found.q.size());
    found.q.push_back(std::exp(-nats.value));
    found.f.push_back(beta * energy(all[n]) - nats.value);
    found.value += found.q.back() * found.f.back();
  }
  return found;
}
Spins spins() {
  return test::random_model<Spins>({.image = lattice, .layers = 1, .hidden = 4, .head = 4}, 3);
}

}  // namespace

TEST_CASE("Weights q f over all images give the gradient of the variational free energy",
          "[training][reinforce]") {
  auto model = spins();
  const Images all = test::all_images(lattice, 2);
  const Variational v = variational(model, all);
  // d E_q[f] = E_q[f d ln q], and the loss is Σ weight · (-ln q).
  std::vector<double> weights;
  for (std::size_t n = 0; n < v.q.size(); ++n) weights.push_back(-v.q[n] * v.f[n]);
  Gradients gradients(model);
  static_cast<void>(BatchGradient(model, 2)(Batch(all, weights), gradients));
  Index compared = 0;
  for (const auto& [name, parameter] : parameters(model)) {
    for (Index i = 0; i < parameter->size(); i += 5) {
      double& value = parameter->value().data()[i];
      const double before = value, step = 1e-5;
      value = before + step;
      const double above = variational(model, all).value;
      value = before - step;
      const double below = variational(model, all).value;
      value = before;
      const double found = gradients[*parameter].data()[i];
      CAPTURE(name, i);
      CHECK(found == Approx((above - below) / (2 * step)).margin(1e-7));
      ++compared;
    }
  }
  CHECK(compared > 30);
}

TEST_CASE("REINFORCE brings the variational free energy to the exact one, and not below",
          "[training][reinforce]") {
  Rng rng(1);
  Spins model({.image = lattice, .layers = 1, .hidden = 8, .head = 8}, rng);
  const Images all = test::all_images(lattice, 2);
  const double exact = exact_free_energy(all), before = variational(model, all).value;
  CHECK(before > exact + 1);
  BatchGradient loss(model, 2);
  Gradients gradients(model);
  Optimizer optimizer(Adam({.learning_rate = 0.01}), parameters(model));
  constexpr Index images = 100;
  for (std::uint64_t step = 0; step < 300; ++step) {
    const Sampled drawn = sample_with_log_p(model, images, {.seed = 1, .first = step * images});
    std::vector<double> f;
    double mean = 0;
    for (Index n = 0; n < images; ++n) {
      f.push_back(beta * energy(drawn.images[n]) + drawn.log_p[static_cast<std::size_t>(n)]);
      mean += f.back() / images;
    }
    for (double& w : f) w = (mean - w) / images;  // the mean is a baseline: it halves the variance
    gradients.clear();
    static_cast<void>(loss(Batch(drawn.images, f), gradients));
    optimizer.step(gradients);
  }
  const double after = variational(model, all).value;
  CHECK(after >= exact);
  CHECK(after < exact + 0.01 * std::abs(exact));
}
