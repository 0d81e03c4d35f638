// SPDX-License-Identifier: MIT
#include <cmath>
#include <numbers>

#include <pixelrnn/sampling/sample.hpp>
#include <pixelrnn/training/classify.hpp>

#include "support/catch.hpp"
#include "support/training.hpp"

using namespace pixelrnn;

namespace {

/// Trained on bars and stripes, told which an image is.
test::TinyModel told_bars(const Images& images) {
  Rng rng(1);
  test::TinyModel model(
      {.image = {4, 4, 1}, .layers = 1, .hidden = 8, .head = 8, .condition = {.classes = 2}}, rng);
  Trainer trainer(model, Adam({.learning_rate = 3e-3}), {.threads = 2});
  trainer.fit(images, {.epochs = 30});
  return model;
}

}  // namespace

TEST_CASE("A model that is told the class reaches the entropy given the class, and tells classes",
          "[training][classify]") {
  const Images images = test::some_bars(2000);
  auto model = told_bars(images);
  Rng rng(77);
  const Images fresh = bars_and_stripes(2000, 4, rng);
  const double given = 4 * std::numbers::ln2, entropy = bars_and_stripes_entropy(4).value;
  const double nats = evaluate(model, fresh).nats_per_image();
  CHECK(nats > given - 0.05);
  CHECK(nats < given + 0.12);
  CHECK(nats < entropy - 0.3);

  // Told the wrong class it is surprised.
  Images wrong = fresh;
  std::vector<int> labels = fresh.labels();
  for (int& label : labels) label = 1 - label;
  wrong.set_labels(labels);
  CHECK(evaluate(model, wrong).nats_per_image() > given + 5);

  // Not told, it needs the entropy of all, and knows which of the two it sees but for two images.
  const ClassEvaluation all = evaluate_classes(model, fresh);
  CHECK(all.nats_per_image() == Approx(entropy).margin(0.12));
  CHECK(all.accuracy(fresh.labels()) > 0.92);
  CHECK(all.accuracy(labels) < 0.08);
  for (Index n = 0; n < fresh.count(); ++n) {
    const auto& image = fresh[n];
    const bool is_one_level =
        std::all_of(image.begin(), image.end(), [&](auto v) { return v == *image.begin(); });
    const double p = all.probability(n, fresh.labels()[static_cast<std::size_t>(n)]);
    CAPTURE(n, is_one_level, p);
    if (is_one_level) {
      CHECK(p == Approx(0.5).margin(0.25));
    } else {
      CHECK(p > 0.9);
    }
  }

  // Images of a class that are drawn are of that class.
  for (const int label : {0, 1}) {
    const Images drawn = sample(model, 200, {.seed = 4, .conditions = {.labels = {label}}});
    CHECK(drawn.labels() == std::vector<int>(200, label));
    Index of_class = 0;
    for (Index n = 0; n < 200; ++n) {
      bool rows_are_equal = true, columns_are_equal = true;
      for (Index i = 0; i < 16; ++i) {
        const auto v = drawn[n].data()[i];
        rows_are_equal = rows_are_equal && v == drawn[n].data()[i % 4];
        columns_are_equal = columns_are_equal && v == drawn[n].data()[i / 4 * 4];
      }
      of_class += (label == 0 ? rows_are_equal : columns_are_equal) ? 1 : 0;
    }
    CHECK(of_class > 170);
  }
}

TEST_CASE("Classes follow from likelihoods and priors by Bayes", "[training][classify]") {
  ClassEvaluation e{Tensor<double, 2>({2, 3}), {0.5, 0.25, 0.25}, {1, 1, 1}};
  const double p[2][3] = {{0.1, 0.4, 0.2}, {0, 0.5, 0.5}};
  for (Index n = 0; n < 2; ++n) {
    for (Index c = 0; c < 3; ++c) e.nats(n, c) = -std::log(p[n][c]);
  }
  CHECK(e.image_nats(0).value == Approx(-std::log(0.05 + 0.1 + 0.05)));
  CHECK(e.probability(0, 0) == Approx(0.25));
  CHECK(e.probability(0, 1) == Approx(0.5));
  CHECK(e.probability(1, 0) == 0);
  CHECK(e.probability(1, 2) == Approx(0.5));
  CHECK(e.most_probable(0) == 1);
  CHECK(e.most_probable(1) == 1);  // the first of equals
  CHECK(e.accuracy({1, 2}) == 0.5);
  CHECK(e.nats_per_image() == Approx((e.image_nats(0).value - std::log(0.25)) / 2));
  CHECK_THROWS_ERROR(e.accuracy({1}), ShapeError, "there are 1 labels for 2 images");
}

TEST_CASE("What cannot be told classes is refused", "[training][classify]") {
  const Images images = test::some_bars(3);
  CHECK_THROWS_ERROR(evaluate_classes(test::tiny_model(), images), ConfigError,
                     "evaluate_classes: the model is told no class; see Config::condition.classes");
  Rng rng(1);
  const test::TinyModel model(
      {.image = {4, 4, 1}, .layers = 1, .hidden = 2, .head = 2, .condition = {.classes = 2}}, rng);
  CHECK_THROWS_ERROR(evaluate_classes(model, images, {}, {1, 1, 1}), ShapeError,
                     "prior has 3 numbers, expected 2");
  CHECK_THROWS_ERROR(evaluate_classes(model, images, {}, {1, 0}), ConfigError, "a prior is 0");
  const ClassEvaluation e = evaluate_classes(model, images, {}, {3, 1});
  CHECK(e.prior == std::vector<double>{0.75, 0.25});
}
