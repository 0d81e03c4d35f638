// SPDX-License-Identifier: MIT
#include <algorithm>
#include <string>
#include <vector>

#include <pixelrnn/training/binarize.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"
#include "support/training.hpp"

using namespace pixelrnn;

namespace {

/// One image of all levels 0 .. levels-1 in a row.
Images ramp(int levels) {
  Images images(1, {1, levels, 1}, levels);
  for (int v = 0; v < levels; ++v) images[0](0, v, 0) = static_cast<Images::Level>(v);
  return images;
}

/// What a data set shows in one epoch.
Images as_seen(const DynamicImages& data, Index epoch) {
  Images seen(data.count(), data.image_shape(), data.levels());
  for (Index i = 0; i < data.count(); ++i) data.fetch(i, epoch, seen[i]);
  return seen;
}

double mean(const Images& images) {
  double sum = 0;
  for (const Images::Level v : images.pixels()) sum += v;
  return sum / static_cast<double>(images.pixels().size());
}

/// Grey images all of one level.
Images flat(Index count, ImageShape shape, int levels, Images::Level level) {
  Images images(count, shape, levels);
  std::fill(images.pixels().begin(), images.pixels().end(), level);
  return images;
}

}  // namespace

TEST_CASE("A threshold makes 1 of its level and those above", "[training][binarize]") {
  const Images grey = ramp(256);
  const Images usual = binarize(grey, Threshold{});
  CHECK(usual.levels() == 2);
  CHECK(usual.binarization() == "threshold(128)");
  CHECK(usual.image_shape() == grey.image_shape());
  for (const int level : {1, 100, 128, 255}) {
    const Images binary = binarize(grey, Threshold{level});
    CHECK(binary.binarization() == "threshold(" + std::to_string(level) + ")");
    for (int v = 0; v < 256; ++v) {
      if (binary[0](0, v, 0) != (v >= level ? 1 : 0)) FAIL_CHECK("level " << v);
    }
  }
}

TEST_CASE("Stochastic binarisation draws 1 with the probability of the level",
          "[training][binarize]") {
  // 10,000 draws: more than five standard deviations from the mean once in a million.
  for (const int level : {0, 1, 4, 9, 10}) {
    CAPTURE(level);
    const Images grey = flat(100, {10, 10, 1}, 11, static_cast<Images::Level>(level));
    const double p = level / 10.0, deviation = std::sqrt(p * (1 - p) / 10000);
    CHECK(std::abs(mean(binarize(grey, Stochastic{3})) - p) <= 5 * deviation);
  }
}

TEST_CASE("A stochastic set is fixed and named by its seed", "[training][binarize]") {
  const Images grey = test::random_images(5, {6, 7, 3}, 256, 1);
  const Images first = binarize(grey, Stochastic{3});
  CHECK(first.binarization() == "stochastic(3)");
  CHECK(first.levels() == 2);
  CHECK(test::difference(binarize(grey, Stochastic{3}), first) == "");
  CHECK(test::difference(binarize(grey, Stochastic{4}), first) != "");
  // An image is drawn by its number, not by those before it.
  Images other = grey;
  std::fill(other[0].begin(), other[0].end(), Images::Level{0});
  CHECK(test::difference(binarize(other, Stochastic{3}).slice(1, 4), first.slice(1, 4)) == "");
}

TEST_CASE("Pixels, colours and images are drawn independently", "[training][binarize]") {
  const Images half = flat(2, {4, 4, 3}, 3, 1);
  const Images drawn = binarize(half, Stochastic{1});
  CHECK(test::difference(drawn.slice(0, 1), drawn.slice(1, 1)) != "");
  const auto plane = [&](Index channel) {
    std::vector<int> values;
    for (Index i = 0; i < 16; ++i) values.push_back(drawn[0].data()[i * 3 + channel]);
    return values;
  };
  CHECK(plane(0) != plane(1));
  CHECK(plane(1) != plane(2));
}

TEST_CASE("Dynamic binarisation draws other images every epoch, and the same ones again",
          "[training][binarize]") {
  const Images grey = test::random_images(5, {6, 7, 1}, 256, 1);
  const DynamicImages data = binarize(grey, Dynamic{3});
  CHECK(data.count() == 5);
  CHECK(data.levels() == 2);
  CHECK(data.image_shape() == grey.image_shape());
  CHECK(data.binarization() == "dynamic(3)");
  const Images first = as_seen(data, 0), second = as_seen(data, 1);
  CHECK(test::difference(first, second) != "");
  CHECK(test::difference(as_seen(data, 0), first) == "");
  CHECK(test::difference(as_seen(binarize(grey, Dynamic{3}), 1), second) == "");
  CHECK(test::difference(as_seen(binarize(grey, Dynamic{4}), 0), first) != "");
}

TEST_CASE("Dynamic draws have the mean of the grey image over the epochs", "[training][binarize]") {
  const DynamicImages data = binarize(flat(1, {10, 10, 1}, 11, 3), Dynamic{5});
  double sum = 0;
  for (Index epoch = 0; epoch < 100; ++epoch) sum += mean(as_seen(data, epoch));
  CHECK(std::abs(sum / 100 - 0.3) <= 5 * std::sqrt(0.3 * 0.7 / 10000));
}

TEST_CASE("A trainer sees the draws of the epoch it is in", "[training][binarize]") {
  const Images grey = test::random_images(6, {4, 4, 1}, 256, 1);
  const DynamicImages data = binarize(grey, Dynamic{2});
  auto model = test::tiny_model();
  std::vector<double> epochs;
  Trainer trainer(model, SGD{.learning_rate = 0}, {.threads = 1});
  trainer.fit(data, {.epochs = 3, .batch_size = 4, .on_epoch = [&](const EpochReport& epoch) {
                       epochs.push_back(epoch.train_nats_per_image);
                       return true;
                     }});
  REQUIRE(epochs.size() == 3);
  for (Index epoch = 0; epoch < 3; ++epoch) {
    CAPTURE(epoch);
    CHECK(epochs[static_cast<std::size_t>(epoch)] ==
          Approx(evaluate(model, as_seen(data, epoch)).nats_per_image()).epsilon(1e-6));
  }
  CHECK(epochs[0] != Approx(epochs[1]).epsilon(1e-4));
}

TEST_CASE("Training on dynamic images can be repeated and resumed", "[training][binarize]") {
  const DynamicImages data = binarize(test::random_images(6, {4, 4, 1}, 256, 1), Dynamic{2});
  const auto trained = [&](Index pause) {
    auto model = test::tiny_model();
    Trainer trainer(model, Adam{}, {.threads = 1});
    trainer.fit(data, {.epochs = 3, .steps = pause, .batch_size = 4});
    trainer.fit(data, {.epochs = 3, .batch_size = 4});
    return test::weights(model);
  };
  const auto straight = trained(0);
  CHECK(test::bit_difference(trained(0), straight) == "");
  CHECK(test::bit_difference(trained(3), straight) == "");
}

TEST_CASE("Quantisation divides the levels evenly, from the lowest to the highest",
          "[training][binarize]") {
  const Images images = quantize(ramp(256), 4);
  CHECK(images.levels() == 4);
  CHECK(images.binarization() == "none");
  for (int v = 0; v < 256; ++v) {
    if (images[0](0, v, 0) != v / 64) FAIL_CHECK("level " << v);
  }
  CHECK(test::difference(quantize(ramp(256), 256), ramp(256)) == "");
  const Images uneven = quantize(ramp(5), 3);
  CHECK(std::vector<int>(uneven.pixels().begin(), uneven.pixels().end()) ==
        std::vector<int>{0, 0, 1, 1, 2});
}

TEST_CASE("Two levels are a threshold, and say so", "[training][binarize]") {
  for (const int levels : {3, 4, 5, 255, 256}) {
    CAPTURE(levels);
    const Images grey = ramp(levels), binary = quantize(grey, 2);
    const int threshold = (levels + 1) / 2;
    CHECK(binary.levels() == 2);
    CHECK(binary.binarization() == "threshold(" + std::to_string(threshold) + ")");
    for (int v = 0; v < levels; ++v) {
      if (binary[0](0, v, 0) != v * 2 / levels) FAIL_CHECK("level " << v);
    }
  }
  // What is binary already stays what it is.
  const Images binary = binarize(ramp(256), Stochastic{1});
  CHECK(test::difference(quantize(binary, 2), binary) == "");
  CHECK(quantize(binary, 2).binarization() == "stochastic(1)");
}

TEST_CASE("Labels stay with images whose levels change", "[training][binarize]") {
  Images grey = test::random_images(3, {4, 4, 1}, 256, 1);
  const std::vector<int> labels{5, 300, 0};
  grey.set_labels(labels);
  CHECK(binarize(grey, Threshold{}).labels() == labels);
  CHECK(binarize(grey, Stochastic{1}).labels() == labels);
  CHECK(binarize(grey, Dynamic{1}).labels() == labels);
  for (const int levels : {2, 16, 256}) CHECK(quantize(grey, levels).labels() == labels);
}

TEST_CASE("What is binary is not binarised again", "[training][binarize]") {
  const Images binary = binarize(ramp(256), Threshold{7});
  const char* const says =
      "binarize: the images have 2 levels already (binarization: threshold(7))";
  CHECK_THROWS_ERROR(binarize(binary, Threshold{1}), ConfigError, says);
  CHECK_THROWS_ERROR(binarize(binary, Stochastic{}), ConfigError, says);
  CHECK_THROWS_ERROR(binarize(binary, Dynamic{}), ConfigError, says);
}

TEST_CASE("Levels that cannot be are refused", "[training][binarize]") {
  CHECK_THROWS_ERROR(binarize(ramp(16), Threshold{}), ConfigError,
                     "binarize: Threshold::level is 128, expected 1 to 15");
  CHECK_THROWS_ERROR(binarize(ramp(16), Threshold{0}), ConfigError, "level is 0, expected 1 to 15");
  CHECK_THROWS_ERROR(binarize(ramp(16), Threshold{16}), ConfigError, "level is 16");
  CHECK_NOTHROW(binarize(ramp(16), Threshold{15}));
  CHECK_THROWS_ERROR(quantize(ramp(16), 17), ConfigError,
                     "quantize: levels is 17, expected 2 to 16");
  CHECK_THROWS_ERROR(quantize(ramp(16), 1), ConfigError, "levels is 1, expected 2 to 16");
}
