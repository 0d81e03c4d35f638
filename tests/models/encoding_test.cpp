// SPDX-License-Identifier: MIT
// How levels enter a net: scaled, from 0 to 1, or looked up; and that such models are models.
#include <cmath>
#include <map>
#include <string>

#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/nn/convolution/one_hot_conv2d.hpp>
#include <pixelrnn/nn/embedding.hpp>
#include <pixelrnn/nn/relu.hpp>
#include <pixelrnn/training/trainer.hpp>
#include <pixelrnn/verify/samples.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

/// Levels that are looked up, then a convolution that hides the pixel, and one that need not.
using LookUpNet = Sequential<Embedding<>, MaskedConv2d<MaskA>, ReLU<>, MaskedConv2d<MaskB>>;

ImageModel<LookUpNet, Categorical> looking_up(ImageShape image, int levels,
                                              Encoding encoding = Encoding::level) {
  Rng rng(1);
  const Index channels = image.channels;
  const Categorical likelihood(levels);
  Embedding<> embedding({.channels = channels, .levels = levels, .dimension = 3}, rng);
  MaskedConv2d<MaskA> first({.in_channels = 3 * channels,
                             .out_channels = 6,
                             .kernel_height = 5,
                             .kernel_width = 7,
                             .colours = channels},
                            rng);
  MaskedConv2d<MaskB> last(
      {.in_channels = 6, .out_channels = likelihood.outputs(channels), .colours = channels}, rng);
  ImageModel<LookUpNet, Categorical> model(
      image, LookUpNet(std::move(embedding), std::move(first), ReLU<>(), std::move(last)),
      likelihood, {}, encoding);
  test::randomise(model, 2, 0.7);
  test::raise(model, "1.bias", 3);
  return model;
}

/// All proofs of a model of colour images, and those by enumeration of a small one.
template <class M>
void check_all_proofs(const M& colour, const M& small) {
  CHECK(verify_causality(colour).where == "");
  CHECK(verify_completeness(colour).where == "");
  CHECK(verify_samplers(colour).where == "");
  CHECK(verify_determinism(colour, {.positions = 3}).where == "");
  CHECK(verify_normalisation(small).where == "");
  CHECK(verify_distribution(small).where == "");
}

}  // namespace

TEST_CASE("Levels enter a net as its config says", "[models][encoding]") {
  Rng rng(1);
  const auto encoded_by = [&](Encoding encoding, int level) {
    const PixelCNN<Categorical> model(
        {.image = {2, 2, 1}, .layers = 1, .hidden = 2, .encoding = encoding}, rng, Categorical(5));
    CHECK(model.describe().at("encoding") == name_of(encoding));
    return model.encode(level);
  };
  for (int level = 0; level < 5; ++level) {
    const auto v = static_cast<float>(level);
    CHECK(encoded_by(Encoding::scaled, level) == v / 2 - 1);
    CHECK(encoded_by(Encoding::zero_one, level) == v / 4);
    CHECK(encoded_by(Encoding::level, level) == v);
  }
}

TEST_CASE("The names of encodings are those of model files", "[models][encoding]") {
  CHECK(name_of(Encoding::scaled) == "-1..1");
  CHECK(encoding_named("-1..1") == Encoding::scaled);
  CHECK(encoding_named("0..1") == Encoding::zero_one);
  CHECK(encoding_named("level") == Encoding::level);
  CHECK_FALSE(encoding_named("0..255"));
}

TEST_CASE("A net that looks levels up passes every proof", "[models][encoding]") {
  const auto grey = looking_up({3, 3, 1}, 4);
  CHECK(verify_causality(grey).where == "");
  CHECK(verify_completeness(grey).where == "");
  CHECK(verify_samplers(grey).where == "");
  CHECK(verify_determinism(grey, {.positions = 3}).where == "");
  check_all_proofs(looking_up({2, 3, 3}, 3), looking_up({1, 2, 3}, 3));
}

TEMPLATE_TEST_CASE("A net that begins with one-hot levels passes every proof", "[models][encoding]",
                   float, double) {
  using B = Backend<TestType>;
  const auto make = [](ImageShape image, int levels) {
    Rng rng(1);
    const Categorical likelihood(levels);
    OneHotConv2d<MaskA, B> first({.channels = image.channels,
                                  .levels = levels,
                                  .out_channels = 6,
                                  .kernel_height = 5,
                                  .kernel_width = 7,
                                  .colours = image.channels},
                                 rng);
    MaskedConv2d<MaskB, B> last({.in_channels = 6,
                                 .out_channels = likelihood.outputs(image.channels),
                                 .colours = image.channels},
                                rng);
    using Net = Sequential<OneHotConv2d<MaskA, B>, ReLU<B>, MaskedConv2d<MaskB, B>>;
    ImageModel<Net, Categorical> model(image, Net(std::move(first), ReLU<B>(), std::move(last)),
                                       likelihood, {}, Encoding::level);
    test::randomise(model, 2, 0.7);
    test::raise(model, "0.bias", 3);
    return model;
  };
  check_all_proofs(make({2, 3, 3}, 3), make({1, 2, 3}, 3));
}

TEST_CASE("A table tells levels apart that only their names tell apart", "[models][encoding]") {
  // Level v is followed by 7·v mod 11: no function of brightness that a ReLU or two could be.
  Rng rng(3);
  Images images(400, {1, 2, 1}, 11);
  for (Index i = 0; i < 400; ++i) {
    const auto first = static_cast<Images::Level>(rng.below(11));
    images[i](0, 0, 0) = first;
    images[i](0, 1, 0) = static_cast<Images::Level>(7 * first % 11);
  }
  auto model = looking_up({1, 2, 1}, 11);
  Trainer trainer(model, Adam{.learning_rate = 3e-2});
  trainer.fit(images, {.epochs = 30, .batch_size = 20});
  CHECK(evaluate(model, images).nats_per_image() < std::log(11.0) + 0.4);
}

TEST_CASE("A net that looks levels up must be given levels", "[models][encoding]") {
  const auto wrong = looking_up({2, 2, 1}, 4, Encoding::scaled);
  CHECK_THROWS_ERROR(static_cast<void>(sample(wrong, 1)), ValueError,
                     "Embedding: a value is -1, expected a level, 0 to 3");
}
