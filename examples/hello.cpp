// SPDX-License-Identifier: MIT
// Hello: train a small Diagonal BiLSTM, see how well it does, let it draw. The README's program.
#include <iostream>

#include <pixelrnn/pixelrnn.hpp>

int main() {
  using namespace pixelrnn;
  Rng rng(42);
  const Images train_set = bars_and_stripes(2048, 8, rng);
  const Images test_set = bars_and_stripes(512, 8, rng);

  PixelRNN<DiagonalBiLSTM<>, Bernoulli> model({.image = {8, 8, 1}, .layers = 1, .hidden = 16}, rng);
  Trainer trainer(model, Adam{.learning_rate = 1e-2}, {.schedule = cosine_rate(512)});
  trainer.fit(train_set, {.epochs = 4, .batch_size = 16});

  const double nats = evaluate(model, test_set).nats_per_image();
  std::cout.precision(2);
  std::cout << nats << " nats an image; no model can average less than "
            << bars_and_stripes_entropy(8).value << "\n\n";

  const Images samples = grid(sample(model, 6, {.seed = 3}), 6, 2);
  for (Index y = 0; y < 8; ++y) {
    for (const auto& level : samples[0][y].flat()) std::cout << ". #"[level / 127];
    std::cout << '\n';
  }
  return nats < 6.5 ? 0 : 1;
}
