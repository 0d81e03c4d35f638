// SPDX-License-Identifier: MIT
// Sampling under a constraint: images with exactly so many white pixels, and their exact log p.
#include <cmath>
#include <iostream>
#include <map>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

/// A sampling rule that sees where it draws: levels that would miss the number are not drawn.
struct FixedCount {
  Index white;

  void(check)() const {}
  template <class P>
  [[nodiscard]] int draw(const P& p, double u, const DrawSite& site) const {
    const int only = forced(site.drawn, site.row, site.column);
    return only >= 0 ? only : Multinomial{}.draw(p, u, site);
  }
  /// The only level that is possible at a pixel, given those before it; -1: both are.
  template <class Image>
  [[nodiscard]] int forced(const Image& image, Index row, Index column) const {
    const Index width = image.shape()[1], at = row * width + column;
    Index so_far = 0;
    for (Index i = 0; i < at; ++i) so_far += image(i / width, i % width, 0);
    if (so_far == white) return 0;
    return white - so_far == image.shape()[0] * width - at ? 1 : -1;
  }
};

int main() {
  Rng rng(1);
  GatedPixelCNN<> model({.image = {3, 3, 1}, .layers = 2, .hidden = 8, .head = 8}, rng);
  Trainer(model, Adam{.learning_rate = 1e-2})
      .fit(bars_and_stripes(512, 3, rng), {.epochs = 4, .batch_size = 16});

  const FixedCount rule{3};
  constexpr Index count = 4000;
  const Images drawn = sample(model, count, {.seed = 1}, rule);
  // What was forced had probability 1: of the other pixels the model's own p counts.
  const Tensor<double, 4> nats = nats_map(model, drawn);
  std::map<std::vector<int>, std::pair<Index, double>> found;
  Index wrong = 0;
  for (Index n = 0; n < count; ++n) {
    double log_p = 0;
    Index white = 0;
    std::vector<int> pixels;
    for (Index y = 0; y < 3; ++y) {
      for (Index x = 0; x < 3; ++x) {
        if (rule.forced(drawn[n], y, x) < 0) log_p -= nats(n, y, x, 0);
        pixels.push_back(drawn[n](y, x, 0)), white += drawn[n](y, x, 0);
      }
    }
    wrong += white != 3 ? 1 : 0;
    ++found[pixels].first, found[pixels].second = log_p;
  }
  double sum = 0, worst = 0;
  for (const auto& [pixels, one] : found) {
    const double p = std::exp(one.second), share = static_cast<double>(one.first) / count;
    sum += p;
    // Of those that are expected some times.
    if (p * count > 5) worst = std::max(worst, std::abs(share - p) / std::sqrt(p / count));
  }
  std::cout << wrong << " of " << count << " images have another number of white pixels\n"
            << found.size() << " different images, of probability " << sum << " together\n"
            << "farthest from its share: " << worst << " standard deviations\n";
  return wrong == 0 && sum > 0.98 && sum < 1.0001 && worst < 5 ? 0 : 1;
}
