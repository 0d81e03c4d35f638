// SPDX-License-Identifier: MIT
// Priors over the codes of a VQ-VAE with two levels: 512 names, 8×8 told a class, and 16×16 told
// the vectors of the codes above them. Codes come and go as .npy.
//   example_codes [TOP.npy BOTTOM.npy CODEBOOK.npy LABELS.npy]
//   (N, 8, 8) and (N, 16, 16) int64, (512, D) float32, (N) int64
#include <algorithm>
#include <iostream>
#include <vector>

#include <pixelrnn/io/codes.hpp>
#include <pixelrnn/io/npy.hpp>
#include <pixelrnn/pixelrnn.hpp>

#include "stand_ins.hpp"

using namespace pixelrnn;

constexpr int codes = 512;

/// Names have no order: each has a vector of its own. Encoding::level hands them on as they are.
auto trained_prior(const Images& images, Condition condition, Index epochs, Rng& rng) {
  const auto conv = [&](auto mask, Index in, Index out, Index k, Index told) {
    return MaskedConv2d<>(mask,
                          {.in_channels = in,
                           .out_channels = out,
                           .kernel_height = k,
                           .kernel_width = k,
                           .relu_input = in != 16,
                           .condition_channels = told},
                          rng);
  };
  Embedding<> names({.channels = 1, .levels = codes, .dimension = 16}, rng);
  auto first = conv(MaskA{}, 16, 64, 3, condition.width());
  auto logits = conv(MaskB{}, 64, codes, 1, condition.width());
  ImageModel model(images.image_shape(),
                   Sequential(std::move(names), std::move(first), std::move(logits)),
                   Categorical(codes), {}, Encoding::level, condition, rng);
  Trainer(model, Adam{.learning_rate = 1e-2},
          {.schedule = cosine_rate(images.count() / 16 * epochs)})
      .fit(images, {.epochs = epochs, .batch_size = 16});
  return model;
}

int main(int argc, char** argv) {
  Rng rng(1);
  const bool is_given = argc == 5;
  if (!is_given) stand_ins::write_codes(320, codes, rng);
  Images top = read_codes(is_given ? argv[1] : "top.npy", codes);
  Images bottom = read_codes(is_given ? argv[2] : "bottom.npy", codes);
  const auto book = read_npy<float>(is_given ? argv[3] : "codebook.npy");
  const auto labels = read_npy<std::int64_t>(is_given ? argv[4] : "labels.npy").values;
  top.set_labels(std::vector<int>(labels.begin(), labels.end()));
  bottom.set_condition_maps(code_vectors(top, book, 2));
  const Index held_out = top.count() / 10, rest = top.count() - held_out;
  const Index classes = *std::ranges::max_element(labels) + 1;

  const auto above = trained_prior(top.slice(held_out, rest), {.classes = classes}, 14, rng);
  const auto below =
      trained_prior(bottom.slice(held_out, rest), {.channels = book.shape.at(1)}, 6, rng);
  const double top_nats = evaluate(above, top.slice(0, held_out)).nats_per_image() / 64;
  const double bottom_nats = evaluate(below, bottom.slice(0, held_out)).nats_per_image() / 256;
  std::cout << top_nats << " nats a code of the top level, " << bottom_nats
            << " of the bottom; 6.24 if nothing were known of it\n";

  // Both levels of a class, for the decoder.
  const Images drawn = sample(above, 4, {.seed = 2, .conditions = {.labels = {1}}});
  const FeatureMap<float> told = code_vectors(drawn, book, 2);
  const Images fine = sample(below, 4, {.seed = 3, .conditions = {.maps = told}});
  write_codes("drawn.npy", fine);
  Index fits = 0;
  for (Index i = 0; i < 4 * 256; ++i) {
    const Index code = drawn[i / 256](i % 256 / 32, i % 16 / 2, 0);
    fits += code / 2 == fine.pixels().data()[i] / 2 ? 1 : 0;
  }
  std::cout << "wrote drawn.npy\n";
  return is_given || (top_nats < 5.2 && bottom_nats < 1.2 && fits > 600) ? 0 : 1;
}
