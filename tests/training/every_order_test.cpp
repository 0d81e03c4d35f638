// SPDX-License-Identifier: MIT
#include <cmath>
#include <vector>

#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/training/binarize.hpp>
#include <pixelrnn/training/every_order.hpp>
#include <pixelrnn/training/toy.hpp>
#include <pixelrnn/training/trainer.hpp>
#include <pixelrnn/verify/samples.hpp>
#include <pixelrnn/verify/verify.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

using Told = PixelRNN<RowLSTM<LearnedState, test::XsimdBackend>>;

Told told_model(ImageShape image) {
  Told model = test::random_model<Told>({.image = image,
                                         .layers = 1,
                                         .hidden = 3,
                                         .head = 4,
                                         .condition = {.classes = 8, .channels = 4}},
                                        3);
  return model;
}

}  // namespace

TEST_CASE("Images in an order are those that a model of that orientation goes through",
          "[training][every_order]") {
  const Images images = test::random_images(3, {4, 4, 2}, 5, 1);
  for (int order = 0; order < 8; ++order) {
    CAPTURE(order);
    const Images found = in_order(images, order);
    CHECK(found.labels() == std::vector<int>{order, order, order});
    const Orientation& o = all_orientations[static_cast<std::size_t>(order)];
    for (Index r = 0; r < 4; ++r) {
      for (Index c = 0; c < 4; ++c) {
        const Orientation::Place at = o.in_image({4, 4, 2}, r, c);
        CHECK(found[2](r, c, 1) == images[2](at.row, at.column, 1));
      }
    }
  }
  CHECK_THROWS_ERROR(in_order(images, 8), ConfigError, "order is 8, expected 0 to 7");
}

TEST_CASE("A data set in every order has each image in each, with its order as label",
          "[training][every_order]") {
  const Images images = test::random_images(3, {4, 4, 1}, 2, 1);
  const EveryOrder data(images);
  REQUIRE(data.count() == 24);
  Tensor<Images::Level, 3> found({4, 4, 1});
  for (Index i = 0; i < 24; ++i) {
    const int order = data.conditions().labels[static_cast<std::size_t>(i)];
    CHECK(order == static_cast<int>(i % 8));
    data.fetch(i, 0, found.view());
    const Images expected = in_order(images.slice(i / 8, 1), order);
    CHECK(std::ranges::equal(found, expected.pixels()));
  }
  const DynamicImages grey = binarize(test::random_images(2, {4, 4, 1}, 9, 1), Dynamic{3});
  const EveryOrder dynamic(grey);
  CHECK(dynamic.binarization() == grey.binarization());
  Tensor<Images::Level, 3> first({4, 4, 1}), plain({4, 4, 1});
  dynamic.fetch(8, 5, first.view());
  grey.fetch(1, 5, plain.view());
  CHECK(std::ranges::equal(first, plain));
}

TEST_CASE("What has no eight orders of one shape is refused", "[training][every_order]") {
  const Images wide = test::random_images(3, {4, 5, 1}, 2, 1);
  CHECK_THROWS_ERROR(EveryOrder(wide), ShapeError, "EveryOrder: images are 4x5x1, expected square");
  Images labelled = test::random_images(3, {4, 4, 1}, 2, 1);
  labelled.set_labels({0, 1, 2});
  CHECK_THROWS_ERROR(EveryOrder(labelled), ConfigError,
                     "expected none: their order is their label");
  const auto model = std::make_shared<Told>(told_model({3, 3, 1}));
  CHECK_THROWS_ERROR(InOrder(model, -1), ConfigError, "order is -1");
  Rng rng(1);
  const auto turned = std::make_shared<Told>(Told(
      {.image = {3, 3, 1}, .condition = {.classes = 8}, .orientation = {.by_columns = true}}, rng));
  CHECK_THROWS_ERROR(InOrder(turned, 0), ConfigError, "an orientation of its own, columns");
  CHECK_THROWS_ERROR(in_order(labelled, 1), ConfigError, "in_order: images come with labels");
  const auto untold = std::make_shared<Told>(Told({.image = {3, 3, 1}}, rng));
  CHECK_THROWS_ERROR(InOrder(untold, 0), ConfigError, "InOrder: the model is told no labels");
  const auto few =
      std::make_shared<Told>(Told({.image = {3, 3, 1}, .condition = {.classes = 5}}, rng));
  CHECK_THROWS_ERROR(InOrder(few, 0), ValueError, "label 0 is 7, expected 0 to 4");
}

TEST_CASE("A model in an order keeps every promise, in that order", "[training][every_order]") {
  const auto model = std::make_shared<Told>(told_model({3, 3, 1}));
  for (const int order : {0, 3, 5}) {
    CAPTURE(order);
    const InOrder<Told> view(model, order);
    STATIC_REQUIRE(WalkableModel<InOrder<Told>>);
    CHECK(verify_causality(view).where == "");
    CHECK(verify_samplers(view).where == "");
    CHECK(verify_determinism(view).where == "");
    // It is the model that is told the order, of images in that order.
    const Images images = test::random_images(4, {3, 3, 1}, 2, 2);
    const auto nats = evaluate(view, images).image_nats,
               expected = evaluate(*model, in_order(images, order)).image_nats;
    for (std::size_t n = 0; n < 4; ++n) CHECK(nats[n].value == expected[n].value);
  }
}

TEST_CASE("The mixture of all orders is a distribution, and is drawn from",
          "[training][every_order]") {
  const Told model = told_model({2, 3, 1});
  const auto mixture = every_order(model);
  const Images all = test::all_images({2, 3, 1}, 2);
  const Evaluation nats = evaluate(mixture, all);
  double sum = 0, of_one = 0;
  std::vector<double> probabilities;
  for (const Nats n : nats.image_nats) probabilities.push_back(std::exp(-n.value));
  for (const double p : probabilities) sum += p;
  CHECK(sum == Approx(1).epsilon(1e-12));
  // The control: orders are different models.
  for (const Nats n : evaluate(mixture.models[1], all).image_nats) of_one += std::exp(-n.value);
  CHECK(of_one == Approx(1).epsilon(1e-12));
  CHECK(evaluate(mixture.models[1], all).image_nats[5].value !=
        evaluate(mixture.models[0], all).image_nats[5].value);
  std::vector<double> counts(probabilities.size(), 0);
  constexpr Index drawn = 20000;
  const Images images = sample(mixture, drawn, {.seed = 4});
  for (Index n = 0; n < drawn; ++n) ++counts[test::number_of(images[n], 2)];
  double chi_square = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double expected = probabilities[i] * drawn;
    chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  CHECK(chi_square < 63 + 5 * std::sqrt(2.0 * 63));  // 63 degrees of freedom
}

TEST_CASE("A model learns in every order, and the mixture is better than the mean",
          "[training][every_order]") {
  Rng rng(2);
  Images images = bars_and_stripes(256, 4, rng);
  images.set_conditions({});
  PixelCNN<> model({.image = {4, 4, 1},
                    .layers = 2,
                    .hidden = 8,
                    .head = 8,
                    .condition = {.classes = 8, .channels = 4}},
                   rng);
  const EveryOrder data(images);
  const Images held_out = in_order(images.slice(0, 16), 3);
  Trainer trainer(model, Adam{.learning_rate = 1e-2});
  const FitReport report =
      trainer.fit(data, {.epochs = 2, .batch_size = 16, .validation = &held_out});
  CHECK(report.steps == 2 * 8 * 256 / 16);
  const auto mixture = every_order(model);
  double mean = 0;
  for (const auto& one : mixture.models) mean += evaluate(one, images).nats_per_image() / 8;
  const double mixed = evaluate(mixture, images).nats_per_image();
  CHECK(mixed < mean);
  CHECK(mean < 5);
}
