// SPDX-License-Identifier: MIT
// Priors over the codes of a VQ-VAE with two levels: 512 names, 8×8 told a class, and 16×16 told
// the vectors of the codes above them. Codes come and go as .npy.
//   example_codes [TOP.npy BOTTOM.npy CODEBOOK.npy LABELS.npy]
//   (N, 8, 8) and (N, 16, 16) int64, (512, D) float32, (N) int64
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include <pixelrnn/io/npy.hpp>
#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

constexpr int codes = 512;

/// Where none are given: the class says which half of the names the top level has, half of whose
/// codes are as that on the left; the bottom level has the code above it, or that one's partner.
void write_codes(Index count, Rng& rng) {
  std::vector<std::int64_t> top, bottom, labels;
  std::vector<float> book;
  for (Index i = 0; i < codes * 16; ++i) book.push_back(static_cast<float>(rng.normal()));
  for (Index n = 0; n < count; ++n) {
    labels.push_back(static_cast<std::int64_t>(rng.below(2)));
    for (Index i = 0; i < 64; ++i) {
      const auto own = static_cast<std::int64_t>(rng.below(256)) + 256 * labels.back();
      const bool same = i % 8 != 0 && rng.below(2) == 0;
      top.push_back(same ? top.back() : own);
    }
    for (Index i = 0; i < 256; ++i) {
      const auto above = static_cast<std::size_t>(n * 64 + i / 32 * 8 + i % 16 / 2);
      bottom.push_back(top[above] ^ static_cast<std::int64_t>(rng.below(2)));
    }
  }
  write_npy("top.npy", {count, 8, 8}, std::span(top));
  write_npy("bottom.npy", {count, 16, 16}, std::span(bottom));
  write_npy("codebook.npy", {codes, 16}, std::span(book));
  write_npy("labels.npy", {count}, std::span(labels));
}
Images read_codes(const std::string& path) {
  const NpyArray<std::int64_t> array = read_npy<std::int64_t>(path);
  Images images(array.shape.at(0), {array.shape.at(1), array.shape.at(2), 1}, codes);
  std::ranges::transform(array.values, images.pixels().begin(), [&](std::int64_t code) {
    if (code < 0 || code >= codes) throw ValueError(path + ": a code is " + std::to_string(code));
    return static_cast<Images::Level>(code);
  });
  return images;
}
/// The vectors of the codes of the top level, each for the four codes below it.
FeatureMap<float> vectors_above(const Images& top, const NpyArray<float>& book) {
  const Index size = book.shape.at(1), height = 2 * top.image_shape().height;
  FeatureMap<float> maps({top.count(), height, height, size});
  for (Index n = 0; n < top.count(); ++n) {
    for (Index i = 0; i < height * height; ++i) {
      const Index y = i / height, x = i % height, code = top[n](y / 2, x / 2, 0);
      std::copy_n(book.values.begin() + code * size, size, &maps(n, y, x, 0));
    }
  }
  return maps;
}

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
  if (!is_given) write_codes(320, rng);
  Images top = read_codes(is_given ? argv[1] : "top.npy");
  Images bottom = read_codes(is_given ? argv[2] : "bottom.npy");
  const auto book = read_npy<float>(is_given ? argv[3] : "codebook.npy");
  const auto labels = read_npy<std::int64_t>(is_given ? argv[4] : "labels.npy").values;
  top.set_labels(std::vector<int>(labels.begin(), labels.end()));
  bottom.set_condition_maps(vectors_above(top, book));
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
  const FeatureMap<float> told = vectors_above(drawn, book);
  const Images fine = sample(below, 4, {.seed = 3, .conditions = {.maps = told}});
  std::vector<std::int64_t> out(fine.pixels().begin(), fine.pixels().end());
  write_npy("drawn.npy", {4, 16, 16}, std::span(out));
  Index fits = 0;
  for (Index i = 0; i < 4 * 256; ++i) {
    const Index code = drawn[i / 256](i % 256 / 32, i % 16 / 2, 0);
    fits += code / 2 == out[static_cast<std::size_t>(i)] / 2 ? 1 : 0;
  }
  std::cout << "wrote drawn.npy\n";
  return is_given || (top_nats < 5.2 && bottom_nats < 1.2 && fits > 600) ? 0 : 1;
}
