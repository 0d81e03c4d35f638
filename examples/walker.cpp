// SPDX-License-Identifier: MIT
// A walk by hand: an image becomes one number, and the number the image again.
#include <algorithm>
#include <cmath>
#include <iostream>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

int main() {
  Rng rng(1);
  PixelRNN<DiagonalBiLSTM<>> model({.image = {5, 5, 1}, .layers = 1, .hidden = 12}, rng);
  Trainer(model, Adam{.learning_rate = 1e-2})
      .fit(bars_and_stripes(1024, 5, rng), {.epochs = 5, .batch_size = 16});
  const Images image = bars_and_stripes(1, 5, rng);

  // Each pixel narrows the interval to its share of it: an arithmetic coder without its care for
  // digits, good for images of some fifty bits.
  double low = 0, width = 1;
  for (Walker walker(model); !walker.done();) {
    const auto p = walker.next();
    const int level = image[0](walker.row(), walker.column(), 0);
    low += width * p.below(level);
    width *= p.below(level + 1) - p.below(level);
    walker.put(static_cast<Images::Level>(level));
  }
  const double number = low + width / 2;

  Images again(1, {5, 5, 1}, 2);
  low = 0, width = 1;
  for (Walker walker(model); !walker.done();) {
    const auto p = walker.next();
    const Index row = walker.row(), column = walker.column();
    const Images::Level level = number < low + width * p.below(1) ? 0 : 1;
    low += width * p.below(level);
    width *= p.below(level + 1) - p.below(level);
    again[0](row, column, 0) = level;
    walker.put(level);
  }
  const bool same = std::ranges::equal(image.pixels(), again.pixels());
  const double bits = -std::log2(width),
               told = evaluate(model, image).nats_per_image() / std::log(2.0);
  std::cout << "25 pixels in " << bits << " bits (evaluate says " << told << "), "
            << (same ? "and back" : "and LOST") << '\n';
  return same && std::abs(bits - told) < 1e-3 && bits < 12 ? 0 : 1;
}
