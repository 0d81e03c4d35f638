// SPDX-License-Identifier: MIT
// Grey levels as amounts, from few images: a Gated PixelCNN that is told a class, under a mixture
// of logistics.
#include <algorithm>
#include <iostream>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

/// Ramps of 256 levels, from dark to light along rows (class 0) or columns (class 1), with a little
/// noise: the next level lies near the last one, which a softmax would have to learn level by
/// level.
Images ramps(Index count, Rng& rng) {
  Images images(count, {8, 8, 1}, 256);
  std::vector<int> labels;
  for (Index n = 0; n < count; ++n) {
    labels.push_back(static_cast<int>(rng.below(2)));
    const double first = rng.uniform(0, 80), slope = rng.uniform(8, 20);
    for (Index y = 0; y < 8; ++y) {
      for (Index x = 0; x < 8; ++x) {
        const double along = static_cast<double>(labels.back() == 0 ? x : y);
        const double level = first + slope * along + 3 * rng.normal();
        images[n](y, x, 0) = static_cast<Images::Level>(std::clamp(level, 0.0, 255.0));
      }
    }
  }
  images.set_labels(std::move(labels));
  return images;
}

/// Nats of held-out images after training on others.
template <class L>
double train(const L& likelihood, const Images& train_set, const Images& test_set, bool tells) {
  Rng rng(2);
  GatedPixelCNN<L> model({.image = train_set.image_shape(),
                          .layers = 3,
                          .hidden = 16,
                          .first_kernel = 5,
                          .condition = {.classes = 2}},
                         rng, likelihood);
  Trainer trainer(model, Adam{.learning_rate = 4e-3},
                  {.clip_norm = 50, .schedule = cosine_rate(512)});
  trainer.fit(train_set, {.epochs = 32, .batch_size = 16});
  if (tells) {
    std::cout << "sees no future pixel: " << verify_causality(model).passed << '\n'
              << "tells the class of an image: "
              << (evaluate_classes(model, test_set).accuracy(test_set.labels()) > 0.95) << '\n';
    const Images drawn = sample(model, 1, {.seed = 3, .conditions = {.labels = {0}}});
    std::cout << "a row of a drawing of class 0:";
    for (Index x = 0; x < 8; ++x) std::cout << ' ' << drawn[0](4, x, 0);
    std::cout << '\n';
  }
  return evaluate(model, test_set).nats_per_image();
}

int main() {
  Rng rng(1);
  const Images train_set = ramps(256, rng), test_set = ramps(256, rng);
  const double mixture = train(LogisticMixture(256, 5), train_set, test_set, true);
  const double softmax = train(Categorical(256), train_set, test_set, false);
  std::cout << mixture << " nats with 15 numbers a pixel, " << softmax
            << " with a softmax of 256\n";
  return mixture < softmax ? 0 : 1;
}
