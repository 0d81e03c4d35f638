// SPDX-License-Identifier: MIT
// An update rule of your own: hyper-parameters, what each parameter remembers, and one step.
#include <array>
#include <cmath>
#include <iostream>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

/// Lion (Chen et al. 2023, algorithm 2), with decoupled weight decay:
///   w = w - η·(sign(β₁·m + (1-β₁)·g) + λ·w);  m = β₂·m + (1-β₂)·g.
struct Lion {
  double learning_rate = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 0;
  static constexpr std::string_view name = "lion";
  /// One tensor for each parameter, of its shape, zero at first; checkpoints hold it by this name.
  static constexpr std::array<const char*, 1> state_names{"mean"};

  void check() const {
    const auto is_rate = [](double beta) { return beta >= 0 && beta < 1; };
    if (!(learning_rate >= 0) || !is_rate(beta1) || !is_rate(beta2) || !(weight_decay >= 0)) {
      throw ConfigError("Lion: expected learning_rate, weight_decay >= 0 and 0 <= beta < 1");
    }
  }
  /// `rate` is the learning rate times the schedule's factor; steps count from 1.
  template <class T>
  void update(Index /*step*/, double rate, std::span<T> w, std::span<const T> g,
              std::array<std::span<T>, 1> state) const {
    const T b1 = static_cast<T>(beta1), b2 = static_cast<T>(beta2);
    const T eta = static_cast<T>(rate), decay = static_cast<T>(weight_decay);
    const std::span<T> m = state[0];
    for (std::size_t i = 0; i < w.size(); ++i) {
      const T direction = b1 * m[i] + (1 - b1) * g[i];
      const T sign = static_cast<T>((direction > 0) - (direction < 0));
      w[i] -= eta * (sign + decay * w[i]);
      m[i] = b2 * m[i] + (1 - b2) * g[i];
    }
  }
};
static_assert(UpdateRule<Lion>);

int main() {
  // Two steps by hand: 1 - 0.1·(1 + 0.5·1) = 0.85, m = 0.02; then the direction is
  // 0.9·0.02 - 0.1·0.1 = 0.008 > 0 although g is negative: 0.85 - 0.1·(1 + 0.5·0.85) = 0.7075.
  const Lion rule{.learning_rate = 0.1, .weight_decay = 0.5};
  std::array<double, 1> w{1}, m{0}, first{2}, second{-0.1};
  rule.update(1, 0.1, std::span<double>(w), std::span<const double>(first), {m});
  rule.update(2, 0.1, std::span<double>(w), std::span<const double>(second), {m});
  std::cout << "w after two steps: " << w[0] << '\n';
  const bool steps_right = std::abs(w[0] - 0.7075) < 1e-12;

  Rng rng(1);
  const Images train_set = bars_and_stripes(1024, 6, rng), test_set = bars_and_stripes(256, 6, rng);
  PixelRNN<RowLSTM<>> model({.image = {6, 6, 1}, .layers = 1, .hidden = 12}, rng);
  bool refused = false;
  try {
    Trainer wrong(model, Lion{.beta1 = 1});
  } catch (const ConfigError& error) {
    refused = true;
    std::cout << error.what() << '\n';
  }

  // The trainer takes it like its own rules.
  Trainer trainer(model, Lion{.learning_rate = 2e-3}, {.schedule = cosine_rate(384)});
  trainer.fit(train_set, {.epochs = 6, .batch_size = 16});
  const double nats = evaluate(model, test_set).nats_per_image();
  std::cout << nats << " nats an image; no model can average less than "
            << bars_and_stripes_entropy(6).value << '\n';
  return steps_right && refused && nats < 5.5 ? 0 : 1;
}
