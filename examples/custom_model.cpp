// SPDX-License-Identifier: MIT
// A model of your own: layers in a row, a likelihood, and the proofs that it is one.
#include <iostream>
#include <tuple>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

/// Types in a row are a net: mask A first, mask B after it, and as many logits as the images need.
using Net = Sequential<MaskedConv2d<MaskA>,                              // 3x3, hides the pixel
                       Residual<DiagonalBiLSTM<>, MaskedConv2d<MaskB>>,  // all of the past
                       Residual<ReLU<>, MaskedConv2d<MaskB>>,            // 3x3, dilated
                       ReLU<>, MaskedConv2d<MaskB>>;                     // 1x1, the logits

/// Images of four levels, from a net of `width` maps.
ImageModel<Net, Categorical> make_model(ImageShape image, Index width, Rng& rng) {
  const Categorical likelihood(4);
  const Index channels = image.channels, logits = likelihood.outputs(channels);
  // One statement a layer: the order of construction is the order of random numbers.
  MaskedConv2d<MaskA> first({.in_channels = channels,
                             .out_channels = width,
                             .kernel_height = 3,
                             .kernel_width = 3,
                             .colours = channels},
                            rng);
  DiagonalBiLSTM<> lstm({.in_channels = width, .hidden = width / 2, .colours = channels}, rng);
  MaskedConv2d<MaskB> widen({.in_channels = width / 2, .out_channels = width, .colours = channels},
                            rng);
  MaskedConv2d<MaskB> around({.in_channels = width,
                              .out_channels = width,
                              .kernel_height = 3,
                              .kernel_width = 3,
                              .dilation = 2,
                              .colours = channels},
                             rng);
  MaskedConv2d<MaskB> last({.in_channels = width, .out_channels = logits, .colours = channels},
                           rng);
  Net net(std::move(first), Residual(std::move(lstm), std::move(widen)),
          Residual(ReLU<>(), std::move(around)), ReLU<>(), std::move(last));
  // The words are what a checkpoint is compared with; image and likelihood are added.
  return {image, std::move(net), likelihood, {{"model", "mine"}, {"width", std::to_string(width)}}};
}

/// Bars and stripes whose lines have one of four levels.
Images four_level_bars(Index count, Rng& rng) {
  const Images high = bars_and_stripes(count, 6, rng), low = bars_and_stripes(count, 6, rng);
  Images images(count, high.image_shape(), 4);
  for (Index i = 0; i < images.pixels().size(); ++i) {
    images.pixels().data()[i] =
        static_cast<Images::Level>(2 * high.pixels().data()[i] + low.pixels().data()[i]);
  }
  return images;
}

int main() {
  bool right = true;
  const auto claim = [&right](const char* what, const VerifyReport& report) {
    std::cout << (report ? "yes  " : "NO   ") << what << (report ? "" : ": " + report.where)
              << '\n';
    right = right && report;
  };

  // Is it a model? Random weights answer that, and colour asks for more than grey.
  Rng rng(1);
  const auto colour = make_model({4, 5, 3}, 12, rng);
  claim("no logit sees the future", verify_causality(colour));
  // Mask A hides the last pixel of a row from its own feature, so the recurrence never meets it:
  // the row below sees it only where the 3x3 kernel reaches it. We promise the rest of the past.
  const auto promised = [](const SubPixel& from, const SubPixel& to) {
    const bool past =
        std::tie(from.row, from.column, from.channel) < std::tie(to.row, to.column, to.channel);
    const bool last = from.row == to.row - 1 && from.column == 4 && from.channel == 2;
    return past && !(last && to.column < 3);
  };
  claim("every logit sees the past, but for the end of the row above",
        verify_completeness(colour, promised));
  const auto tiny = make_model({2, 2, 1}, 4, rng);
  claim("the probabilities of all images sum to 1", verify_normalisation(tiny));

  auto model = make_model({6, 6, 1}, 16, rng);
  std::cout << parameter_count(model) << " parameters, " << flops(model.net(), 6, 6)
            << " FLOP an image; pixel (3, 2) sees\n";
  const Tensor<unsigned char, 2> field = receptive_field(model, 3, 2);
  for (Index y = 0; y < 6; ++y) {
    for (Index x = 0; x < 6; ++x) std::cout << (field(y, x) ? '#' : y == 3 && x == 2 ? '?' : '.');
    std::cout << '\n';
  }

  const Images train_set = four_level_bars(2048, rng), test_set = four_level_bars(256, rng);
  Trainer trainer(model, Adam{.learning_rate = 1e-2}, {.schedule = cosine_rate(1024)});
  trainer.fit(train_set, {.epochs = 8, .batch_size = 16});
  const double nats = evaluate(model, test_set).nats_per_image();
  const double floor = 2 * bars_and_stripes_entropy(6).value;
  std::cout << nats << " nats an image; no model can average less than " << floor << '\n';
  return right && nats < floor + 2 ? 0 : 1;
}
