// SPDX-License-Identifier: MIT
// Walker: the conditionals of a model, one after the other, over images of any size.
#include <cmath>
#include <string>
#include <vector>

#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/sampling/sample.hpp>
#include <pixelrnn/training/evaluate.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

using B64 = Backend<double>;
using WalkedCNN = PixelCNN<test::Softmax<3>, B64>;
using WalkedRow = PixelRNN<RowLSTM<LearnedState, B64>, test::Softmax<3>>;
using WalkedDiagonal = PixelRNN<DiagonalBiLSTM<LearnedState, B64>, test::Softmax<3>>;
using WalkedPadded = PixelRNN<DiagonalBiLSTM<PaddedScanState, B64>, test::Softmax<3>>;

template <class M>
M walked_model(ImageShape image, Condition condition = {}) {
  return test::random_model<M>(
      {.image = image, .layers = 2, .hidden = 3, .head = 4, .condition = condition}, 3);
}

/// ln p of every sub-pixel by walking over all images at once; every `skip`th pixel is put whole.
template <class M>
Tensor<double, 4> walked_log_p(const M& model, const Images& images, Index skip = 0) {
  const ImageShape s = images.image_shape();
  Tensor<double, 4> log_p(images.pixels().shape());
  Walker walker(model, {images.count(), s.height, s.width}, images.conditions());
  CHECK(walker.image_shape() == s);
  while (!walker.done()) {
    const Index row = walker.row(), column = walker.column(), c = walker.channel();
    if (skip > 0 && (row * s.width + column) % skip == 0) {
      std::vector<Images::Level> pixel;
      for (Index n = 0; n < images.count(); ++n) {
        for (Index k = 0; k < s.channels; ++k) pixel.push_back(images[n](row, column, k));
      }
      walker.put_pixel(pixel);
      continue;
    }
    std::vector<Images::Level> levels;
    for (Index n = 0; n < images.count(); ++n) {
      levels.push_back(images[n](row, column, c));
      log_p(n, row, column, c) = walker.next(n).log_probability(levels.back());
    }
    walker.put(levels);
  }
  return log_p;
}

}  // namespace

TEMPLATE_TEST_CASE(
    "A walk has the conditionals of a pass, over images of the model's size and of "
    "others, grey and in colour",
    "[sampling][walker]", WalkedCNN, WalkedRow, WalkedDiagonal, WalkedPadded) {
  for (const Index channels : {1, 3}) {
    const auto model = walked_model<TestType>({4, 5, channels});
    for (const ImageShape& size : {ImageShape{4, 5, channels}, ImageShape{6, 2, channels},
                                   ImageShape{1, 9, channels}, ImageShape{3, 1, channels}}) {
      CAPTURE(size, channels);
      const Images images = test::random_images(3, size, 3, 5);
      const Tensor<double, 4> nats = nats_map(model, images, {.walk_bits = true});
      for (const Index skip : {0, 3}) {
        const Tensor<double, 4> log_p = walked_log_p(model, images, skip);
        Index compared = 0;
        for (Index i = 0; i < nats.size(); ++i) {
          if (log_p.data()[i] == 0) continue;  // put, not asked for
          CHECK(log_p.data()[i] == -nats.data()[i]);
          ++compared;
        }
        CHECK(compared >= nats.size() / 2);
      }
    }
  }
}

TEMPLATE_TEST_CASE("A model of another size with the same weights is the same model",
                   "[sampling][walker]", WalkedCNN, WalkedRow, WalkedDiagonal, WalkedPadded) {
  const auto small = walked_model<TestType>({4, 5, 1});
  const auto other = walked_model<TestType>({6, 3, 1});
  const Images drawn = sample(small, 5, {.seed = 3, .height = 6, .width = 3});
  CHECK(drawn.image_shape() == ImageShape{6, 3, 1});
  CHECK(test::difference(drawn, sample(other, 5, {.seed = 3})) == "");
  CHECK(test::difference(drawn, sample(small, 5, {.seed = 3, .height = 6, .width = 3},
                                       Multinomial{}, FullForward{})) == "");
  CHECK(evaluate(small, drawn).nats_per_image() == evaluate(other, drawn).nats_per_image());
  const Images completed = complete(small, drawn, KeepRows{2}, {.seed = 4});
  CHECK(test::difference(completed, complete(other, drawn, KeepRows{2}, {.seed = 4})) == "");
  CHECK(test::difference(completed, complete(small, drawn, KeepRows{2}, {.seed = 4}, Multinomial{},
                                             FullForward{})) == "");
  // The control: the size matters to the image.
  CHECK(test::difference(drawn, sample(small, 5, {.seed = 3})) != "");
  CHECK_THROWS_ERROR(sample(small, 1, {.height = -1}), ConfigError,
                     "sample: height is -1 and width 0, expected 0 (the model's) or more");
}

TEST_CASE("What is drawn by hand is what sample draws, told something or not",
          "[sampling][walker]") {
  for (const Index classes : {0, 3}) {
    const auto model = walked_model<WalkedDiagonal>({3, 4, 3}, {.classes = classes});
    Conditions told;
    if (classes > 0) told.labels = {2};
    Walker walker(model, {}, told);
    Images image(1, {3, 4, 3}, 3);
    while (!walker.done()) {
      const Index row = walker.row(), column = walker.column(), c = walker.channel();
      const double u = keyed_uniform(9, 0, row * 4 + column, c);
      const auto p = walker.next();
      int level = 0;
      while (level < 2 && u >= p.below(level + 1)) ++level;
      image[0](row, column, c) = static_cast<Images::Level>(level);
      walker.put(static_cast<Images::Level>(level));
    }
    CHECK(test::difference(image, sample(model, 1, {.seed = 9, .conditions = told})) == "");
  }
}

TEMPLATE_TEST_CASE("Samples come with their log p", "[sampling][walker]", Cached, FullForward) {
  const auto model = walked_model<WalkedRow>({3, 4, 3}, {.classes = 2});
  const SampleOptions how{.seed = 5, .conditions = {.labels = {1}}};
  const Sampled drawn = sample_with_log_p(model, 9, how, Multinomial{}, TestType{});
  CHECK(test::difference(drawn.images, sample(model, 9, how)) == "");
  const auto nats = evaluate(model, drawn.images, {.walk_bits = true}).image_nats;
  REQUIRE(drawn.log_p.size() == 9);
  for (std::size_t n = 0; n < 9; ++n) {
    CHECK(drawn.log_p[n] == Approx(-nats[n].value).epsilon(1e-12));
  }
  // Of what was drawn alone, whatever the rule: under the model itself.
  const KeepMask keep{Tensor<unsigned char, 2>({3, 4}, 1)};
  KeepMask all_but_two = keep;
  all_but_two.mask(1, 2) = all_but_two.mask(2, 3) = 0;
  const Sampled part =
      complete_with_log_p(model, drawn.images, all_but_two, how, Argmax{}, TestType{});
  const Tensor<double, 4> map = nats_map(model, part.images, {.walk_bits = true});
  for (Index n = 0; n < 9; ++n) {
    double sum = 0;
    for (Index c = 0; c < 3; ++c) sum -= map(n, 1, 2, c) + map(n, 2, 3, c);
    CHECK(part.log_p[static_cast<std::size_t>(n)] == Approx(sum).epsilon(1e-12));
  }
  CHECK(complete_with_log_p(model, part.images, keep, how, Multinomial{}, TestType{}).log_p ==
        std::vector<double>(9, 0.0));
}

TEST_CASE("A walk refuses what does not fit it", "[sampling][walker]") {
  const auto model = walked_model<WalkedCNN>({2, 2, 3});
  CHECK_THROWS_ERROR((Walker(model, {.images = 0})), ConfigError,
                     "Walker: images is 0, height 0 and width 0, expected 1 or more images");
  Walker walker(model, {.images = 2});
  const std::vector<Images::Level> two{0, 2}, high{0, 3}, three{0, 1, 2}, six(6, 1);
  CHECK_THROWS_ERROR(walker.put(three), ShapeError,
                     "Walker: 3 levels are put, expected 2 for 2 images");
  CHECK_THROWS_ERROR(walker.put(high), ValueError, "Walker: level 1 is 3, expected 0 to 2");
  CHECK_THROWS_ERROR(walker.put_pixel(two), ShapeError, "expected 6");
  walker.put(two);
  CHECK_THROWS_ERROR(walker.put_pixel(six), ConfigError,
                     "Walker::put_pixel: channel 1 of pixel (0, 0) is next, expected channel 0");
  walker.put(two), walker.put(two);
  for (int pixel = 1; pixel < 4; ++pixel) walker.put_pixel(six);
  CHECK(walker.done());
  CHECK_THROWS_ERROR(static_cast<void>(walker.next()), ConfigError,
                     "Walker::next: the walk over images 2x2x3 is done; make a new one");
  CHECK_THROWS_ERROR(walker.put(two), ConfigError, "Walker::put: the walk");
}
