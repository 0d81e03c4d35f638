// SPDX-License-Identifier: MIT
// Larger than trained: a model has no size of its own, and draws textures of any.
#include <iostream>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

/// Diagonal stripes, four pixels from one to the next, at a random place: of any image the first
/// row says all the rest.
Images stripes(Index count, Rng& rng) {
  Images images(count, {12, 12, 1}, 2);
  for (Index n = 0; n < count; ++n) {
    const auto shift = static_cast<Index>(rng.below(4));
    for (Index y = 0; y < 12; ++y) {
      for (Index x = 0; x < 12; ++x) images[n](y, x, 0) = (x + y + shift) % 4 < 2 ? 1 : 0;
    }
  }
  return images;
}

int main() {
  Rng rng(1);
  const Images images = stripes(512, rng);
  GatedPixelCNN<> model({.image = images.image_shape(), .layers = 3, .hidden = 8}, rng);
  Trainer(model, Adam{.learning_rate = 1e-2}).fit(images, {.epochs = 6, .batch_size = 16});

  const Images drawn = sample(model, 4, {.seed = 2, .height = 24, .width = 40});
  Index broken = 0, checked = 0;
  for (Index n = 0; n < drawn.count(); ++n) {
    for (Index y = 1; y < 24; ++y) {
      for (Index x = 0; x < 39; ++x, ++checked) {
        broken += drawn[n](y, x, 0) == drawn[n](y - 1, x + 1, 0) ? 0 : 1;
      }
    }
  }
  for (Index y = 0; y < 5; ++y) {
    for (Index x = 0; x < 40; ++x) std::cout << ". #"[2 * drawn[0](y, x, 0)];
    std::cout << '\n';
  }
  std::cout << broken << " of " << checked << " pixels of 24x40 leave the stripes of 12x12\n";
  return broken < checked / 100 ? 0 : 1;
}
