// SPDX-License-Identifier: MIT
// A program of somebody else. Prints "right" and returns 0 if the library works in it.
#ifdef DEFINE_MACROS
#include "macros.hpp"
#endif

#include <pixelrnn/pixelrnn.hpp>

#include <algorithm>
#include <iostream>
#include <string>

using namespace pixelrnn;

int main() {
  Rng rng{0};
  // The first words of Philox under counter and key 0, as published.
  bool right = rng.next() == 0x6627e8d5e169c58d;

  std::string message;
  try {
    static_cast<void>(Tensor<float, 2>({2, 3}).view().slice(1, 2));
  } catch (const ShapeError& error) {
    message = error.what();
  }
  right = right && message.find("leaves the outermost axis") != std::string::npos;

  const Images train_set = bars_and_stripes(64, 4, rng);
  PixelRNN<DiagonalBiLSTM<>, Bernoulli> model({.image = {4, 4, 1}, .layers = 2, .hidden = 4}, rng);
  const double before = evaluate(model, train_set).nats_per_image();
  Trainer trainer(model, Adam{.learning_rate = 1e-2});
  trainer.fit(train_set, {.epochs = 5});
  right = right && evaluate(model, train_set).nats_per_image() < before;

  const Images samples = sample(model, 3, {.seed = 1});
  const Images again = sample(model, 3, {.seed = 1});
  right = right && std::ranges::equal(samples.pixels(), again.pixels());

  std::cout << (right ? "right" : "wrong") << '\n';
  return right ? 0 : 1;
}
