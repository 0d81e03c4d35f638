// SPDX-License-Identifier: MIT
// Anomaly scores: is an image of the kind that a model knows? Likelihood alone misleads.
//   example_anomaly [TRAIN TEST OTHER]    image files: of the kind, held out, and of another kind
#include <algorithm>
#include <cmath>
#include <iostream>
#include <span>

#include <pixelrnn/io/gzip.hpp>
#include <pixelrnn/io/image_files.hpp>
#include <pixelrnn/pixelrnn.hpp>

#include "stand_ins.hpp"

using namespace pixelrnn;

/// A model of the images; of images a fifth of whose levels are noise, a model of their background
/// (Ren et al. 2019, arXiv 1906.02845).
PixelCNN<Categorical> trained(Images images, double noise, Rng& rng) {
  for (Images::Level& level : images.pixels()) {
    if (rng.uniform(0, 1) < noise) level = static_cast<Images::Level>(rng.below(16));
  }
  PixelCNN<Categorical> model({.image = images.image_shape(), .layers = 3, .hidden = 16}, rng,
                              Categorical(16));
  Trainer(model, Adam{.learning_rate = 4e-3}, {.clip_norm = 50})
      .fit(images, {.epochs = images.count() > 5000 ? 2 : 6, .batch_size = 16});
  return model;
}

/// Nats that a general coder takes, zlib here (Serrà et al. 2020, arXiv 1909.11480).
double complexity(const Images& image) {
  std::vector<std::byte> bytes;
  for (const Images::Level level : image.pixels()) bytes.push_back(std::byte(level));
  return 8 * std::log(2.0) * static_cast<double>(deflate_gzip(bytes).size());
}

/// How often an image of the other kind has the higher score: the area under the ROC curve.
double auroc(std::span<const double> own, std::span<const double> other) {
  double higher = 0;
  for (const double o : other) {
    for (const double s : own) higher += o > s ? 1 : o == s ? 0.5 : 0;
  }
  return higher / static_cast<double>(own.size() * other.size());
}

int main(int argc, char** argv) {
  Rng rng(1);
  const bool is_given = argc == 4;
  const auto get = [&](int i, Index limit, bool is_other) {
    const ImageFileOptions options{.grey = true, .limit = limit};
    return quantize(
        is_given ? read_images({argv[i]}, options) : stand_ins::patterns(limit, is_other, rng), 16);
  };
  const Images train_set = get(1, is_given ? 10000 : 512, false);
  const Images sets[] = {get(2, 200, false), get(3, 200, true)};
  const auto model = trained(train_set, 0, rng), background = trained(train_set, 0.2, rng);

  std::vector<double> likelihood[2], ratio[2], corrected[2];
  for (int k = 0; k < 2; ++k) {
    const Evaluation own = evaluate(model, sets[k]), plain = evaluate(background, sets[k]);
    for (Index n = 0; n < sets[k].count(); ++n) {
      const auto i = static_cast<std::size_t>(n);
      likelihood[k].push_back(own.image_nats[i].value);
      ratio[k].push_back(own.image_nats[i].value - plain.image_nats[i].value);
      corrected[k].push_back(own.image_nats[i].value - complexity(sets[k].slice(n, 1)));
    }
  }
  const double by_likelihood = auroc(likelihood[0], likelihood[1]),
               by_ratio = auroc(ratio[0], ratio[1]), by_both = auroc(corrected[0], corrected[1]);
  std::cout << "AUROC: likelihood " << by_likelihood << ", ratio of two models " << by_ratio
            << ", corrected by complexity " << by_both << '\n';
  return is_given || (by_likelihood < 0.5 && by_ratio > 0.9 && by_both > 0.9) ? 0 : 1;
}
