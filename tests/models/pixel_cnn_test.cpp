// SPDX-License-Identifier: MIT
#include <map>
#include <string>
#include <vector>

#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/model_proofs.hpp"

using namespace pixelrnn;

namespace {

using Grey = PixelCNN<Bernoulli, test::ReferenceBackend>;
using Colour = PixelCNN<test::Softmax<3>, test::ReferenceBackend>;

/// A model whose ReLUs are open, so that none hides what lies behind it.
template <class M>
M open_model(const PixelCNNConfig& config, std::uint64_t seed) {
  M model = test::random_model<M>(config, seed, 0.1);
  test::raise(model, "bias", 10);
  return model;
}

/// What sec. 3.4 and 3.5 let the logits see: 7×7 mask A, then a 3×3 mask B a layer.
test::Field field_of(const PixelCNNConfig& config) {
  test::Field field =
      test::Field({1, config.image.height, config.image.width, config.image.channels})
          .then(test::convolution_field(7, false));
  for (Index l = 0; l < config.layers; ++l) field = field.then(test::convolution_field(3, true));
  return field;
}

}  // namespace

TEST_CASE("PixelCNN's grey logits see their past but for the blind spot, and nothing else",
          "[models][pixel_cnn]") {
  for (const ImageShape image : {ImageShape{1, 1, 1}, ImageShape{1, 7, 1}, ImageShape{7, 1, 1},
                                 ImageShape{5, 4, 1}, ImageShape{6, 9, 1}}) {
    for (const bool skip : {false, true}) {
      const PixelCNNConfig config{
          .image = image, .layers = 1, .hidden = 4, .head = 5, .skip = skip};
      const auto report = test::check_field(open_model<Grey>(config, 3), field_of(config));
      CAPTURE(image, skip);
      CHECK(report.leak == "");
      CHECK(report.blind == "");
    }
  }
}

TEST_CASE("PixelCNN's colour logits see earlier colours of their pixel", "[models][pixel_cnn]") {
  const PixelCNNConfig config{.image = {3, 4, 3}, .layers = 2, .hidden = 5, .head = 4};
  const auto report = test::check_field(open_model<Colour>(config, 4), field_of(config));
  CHECK(report.leak == "");
  CHECK(report.blind == "");
}

TEST_CASE("The blind spot is there: a field without it is not PixelCNN's", "[models][pixel_cnn]") {
  const PixelCNNConfig config{.image = {6, 9, 1}, .layers = 1, .hidden = 4, .head = 5};
  const test::Field everything =
      test::Field({1, 6, 9, 1}).then([](const test::Cell& out, const test::Cell& in) {
        return test::is_before(in, out);
      });
  const auto report = test::check_field(open_model<Grey>(config, 3), everything);
  CHECK(report.leak == "");
  CHECK(report.blind != "");
}

TEST_CASE("A field that is too small is found to leak", "[models][pixel_cnn]") {
  const PixelCNNConfig config{.image = {6, 4, 1}, .layers = 2, .hidden = 4, .head = 5};
  PixelCNNConfig less = config;
  less.layers = 1;
  const auto model = open_model<Grey>(config, 3);
  CHECK(test::check_field(model, field_of(config)).leak == "");
  CHECK(test::check_field(model, field_of(less)).leak != "");
}

TEST_CASE("PixelCNN's probabilities of all binary images sum to 1", "[models][pixel_cnn]") {
  for (const ImageShape image :
       {ImageShape{1, 1, 1}, ImageShape{2, 2, 1}, ImageShape{1, 5, 1}, ImageShape{3, 2, 1},
        ImageShape{2, 3, 1}, ImageShape{3, 3, 1}, ImageShape{1, 2, 3}}) {
    CAPTURE(image);
    const auto model = test::random_model<Grey>(
        {.image = image, .layers = 2, .hidden = 4, .head = 5, .skip = true}, 5);
    CHECK(test::total_probability(model) == Approx(1).epsilon(1e-12));
  }
}

TEST_CASE("PixelCNN's probabilities of all images of 3 levels sum to 1", "[models][pixel_cnn]") {
  for (const ImageShape image : {ImageShape{2, 2, 1}, ImageShape{1, 2, 3}, ImageShape{2, 1, 3}}) {
    CAPTURE(image);
    const auto model =
        test::random_model<Colour>({.image = image, .layers = 2, .hidden = 4, .head = 5}, 6);
    CHECK(test::total_probability(model) == Approx(1).epsilon(1e-12));
  }
}

TEST_CASE("PixelCNN passes the gradient check as a whole", "[models][pixel_cnn]") {
  auto grey = test::random_model<Grey>(
      {.image = {3, 4, 1}, .layers = 2, .hidden = 3, .head = 4, .skip = true}, 7);
  const GradcheckReport of_grey = test::check_gradients(grey);
  INFO(of_grey.where);
  CHECK(of_grey);
  auto colour =
      test::random_model<Colour>({.image = {2, 3, 3}, .layers = 1, .hidden = 3, .head = 3}, 8);
  const GradcheckReport of_colour = test::check_gradients(colour);
  INFO(of_colour.where);
  CHECK(of_colour);
}

TEST_CASE("PixelCNN says what it is", "[models][pixel_cnn]") {
  Rng rng(1);
  const Colour model({.image = {4, 5, 3}, .layers = 2, .hidden = 6, .head = 7, .skip = true}, rng);
  const std::string net =
      "Sequential(MaskedConv2d<A>(3->12, 7x7, colours 3), Stack(2 of Residual("
      "MaskedConv2d<B>(12->6, 1x1, of max(x, 0), colours 3), "
      "MaskedConv2d<B>(6->6, 3x3, of max(x, 0), colours 3), "
      "MaskedConv2d<B>(6->12, 1x1, of max(x, 0), colours 3)), "
      "skips 2 of MaskedConv2d<B>(12->12, 1x1, colours 3)), "
      "MaskedConv2d<B>(12->7, 1x1, of max(x, 0), colours 3), "
      "MaskedConv2d<B>(7->7, 1x1, of max(x, 0), colours 3), "
      "MaskedConv2d<B>(7->9, 1x1, colours 3))";
  CHECK(model.describe() == std::map<std::string, std::string>{{"model", "pixel_cnn"},
                                                               {"image", "4x5x3"},
                                                               {"likelihood", "categorical3"},
                                                               {"layers", "2"},
                                                               {"hidden", "6"},
                                                               {"head", "7"},
                                                               {"skip", "true"},
                                                               {"encoding", "-1..1"},
                                                               {"net", net}});
}

TEST_CASE("PixelCNN's parameters have names and their number can be counted by hand",
          "[models][pixel_cnn]") {
  Rng rng(1);
  const Colour model({.image = {4, 5, 3}, .layers = 2, .hidden = 6, .head = 7, .skip = true}, rng);
  CHECK(test::parameter_names(model) ==
        std::vector<std::string>{"input.weights",         "input.bias",
                                 "blocks.0.down.weights", "blocks.0.down.bias",
                                 "blocks.0.conv.weights", "blocks.0.conv.bias",
                                 "blocks.0.up.weights",   "blocks.0.up.bias",
                                 "blocks.1.down.weights", "blocks.1.down.bias",
                                 "blocks.1.conv.weights", "blocks.1.conv.bias",
                                 "blocks.1.up.weights",   "blocks.1.up.bias",
                                 "blocks.skip0.weights",  "blocks.skip0.bias",
                                 "blocks.skip1.weights",  "blocks.skip1.bias",
                                 "head1.weights",         "head1.bias",
                                 "head2.weights",         "head2.bias",
                                 "logits.weights",        "logits.bias"});
  // Of colour groups of n maps (2 and 2 and 2 of six, 3 and 2 and 2 of seven) each feeds itself and
  // those after it; the first layer's centre only those after it.
  const Index input = 24 * 3 * 12 + 3 * 4 + 12;
  const Index block = (48 + 6) + (4 * 6 * 6 + 24 + 6) + (48 + 12);
  const Index skip = 96 + 12;
  const Index head = (52 + 7) + (33 + 7) + (45 + 9);
  CHECK(parameter_count(model) == input + 2 * block + 2 * skip + head);
}

TEST_CASE("PixelCNN's FLOP are those of its allowed taps", "[models][pixel_cnn]") {
  Rng rng(1);
  const Grey model({.image = {1, 1, 1}, .layers = 3, .hidden = 6, .head = 7}, rng);
  // On one pixel only the centre taps are inside, and mask A has none.
  CHECK(flops(model.net(), 1, 1) == 2 * (3 * (12 * 6 + 6 * 6 + 6 * 12) + 12 * 7 + 7 * 7 + 7 * 1));
}

TEST_CASE("PixelCNN names a size that cannot be", "[models][pixel_cnn]") {
  Rng rng(1);
  const auto make = [&rng](PixelCNNConfig config) { return Grey(config, rng); };
  CHECK_THROWS_ERROR(make({.image = {0, 4, 1}}), ConfigError,
                     "Config::image: image is 0x4x1 (height x width x channels), expected 1 or "
                     "more of each");
  CHECK_THROWS_ERROR(
      make({.image = {4, 4, 1}, .layers = 0}), ConfigError,
      "model: Config is {layers=0, hidden=128, head=32}, expected 1 or more of each");
  CHECK_THROWS_ERROR(make({.image = {4, 4, 1}, .layers = 1, .hidden = -1}), ConfigError,
                     "hidden=-1");
  CHECK_THROWS_ERROR(make({.image = {4, 4, 1}, .layers = 1, .hidden = 1, .head = 0}), ConfigError,
                     "head=0");
}

TEST_CASE("Equal seeds make equal models, others others", "[models][pixel_cnn]") {
  const PixelCNNConfig config{.image = {4, 4, 1}, .layers = 1, .hidden = 3, .head = 3};
  const auto weights = [&config](std::uint64_t seed) {
    Rng rng(seed);
    const Grey model(config, rng);
    const auto first = parameters(model).front().parameter->value();
    return FeatureMap<double>(first);
  };
  CHECK(test::bit_difference(weights(1), weights(1)) == "");
  CHECK(test::bit_difference(weights(1), weights(2)) != "");
}
