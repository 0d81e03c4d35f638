// SPDX-License-Identifier: MIT
// A prior over codes, as those of a VQ-VAE: 512 names, embedded, told a coarser map of codes.
#include <iostream>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

constexpr int codes = 512;

/// Codes of 8×8, four by four of which share one of 16 coarse codes: a fine code is one of the 32
/// names that belong to its coarse one, and the same as that on its left half of the time.
Images fine_codes(Index count, Rng& rng, FeatureMap<float>& coarse) {
  Images images(count, {8, 8, 1}, codes);
  coarse = FeatureMap<float>({count, 8, 8, 16});  // a vector for each name
  for (Index n = 0; n < count; ++n) {
    Index tops[4];
    for (Index& top : tops) top = static_cast<Index>(rng.below(16));
    for (Index y = 0; y < 8; ++y) {
      for (Index x = 0; x < 8; ++x) {
        const Index top = tops[y / 4 * 2 + x / 4];
        const bool same = x % 4 != 0 && rng.below(2) == 0;
        const auto own =
            static_cast<Images::Level>(16 * rng.below(32) + static_cast<std::uint64_t>(top));
        images[n](y, x, 0) = same ? images[n](y, x - 1, 0) : own;
        coarse(n, y, x, top) = 1;
      }
    }
  }
  return images;
}

int main() {
  Rng rng(1);
  FeatureMap<float> coarse;
  Images images = fine_codes(512, rng, coarse);
  images.set_condition_maps(coarse);
  const Images train_set = images.slice(0, 448), test_set = images.slice(448, 64);

  // Names have no order: each has a vector of its own. Encoding::level hands them on as they are.
  Embedding<> names({.channels = 1, .levels = codes, .dimension = 16}, rng);
  MaskedConv2d<MaskA> first({.in_channels = 16,
                             .out_channels = 48,
                             .kernel_height = 3,
                             .kernel_width = 3,
                             .condition_channels = 16},
                            rng);
  MaskedConv2d<MaskB> logits({.in_channels = 48, .out_channels = codes, .relu_input = true}, rng);
  Sequential net(std::move(names), std::move(first), std::move(logits));
  ImageModel model({8, 8, 1}, std::move(net), Categorical(codes), {}, Encoding::level,
                   Condition{.channels = 16}, rng);
  Trainer(model, Adam{.learning_rate = 1e-2}).fit(train_set, {.epochs = 12, .batch_size = 16});

  const double nats = evaluate(model, test_set).nats_per_image() / 64;
  std::cout << nats
            << " nats a code; 6.24 if nothing were known of it, 3.47 of the coarse code alone\n";
  const Images drawn =
      sample(model, 1,
             {.seed = 2, .conditions = {.maps = FeatureMap<float>(coarse.view().slice(500, 1))}});
  Index fits = 0;
  for (Index y = 0; y < 8; ++y) {
    for (Index x = 0; x < 8; ++x) {
      fits += coarse(500, y, x, drawn[0](y, x, 0) % 16) == 1 ? 1 : 0;
    }
  }
  std::cout << fits << " of 64 drawn codes belong to the coarse code they were told\n";
  return nats < 3.6 && fits > 56 ? 0 : 1;
}
