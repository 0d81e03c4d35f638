// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>
#include <string>

#include <pixelrnn/likelihood/categorical.hpp>
#include <pixelrnn/models/pixel_cnn.hpp>
#include <pixelrnn/training/evaluate.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

using Colour = PixelCNN<test::Softmax<3>>;
constexpr ImageShape shape{3, 4, 3};

Colour colour_model() {
  return test::random_model<Colour>({.image = shape, .layers = 1, .hidden = 6, .head = 6}, 4);
}

}  // namespace

TEST_CASE("Evaluation gives -ln p of each image by the definition", "[training][evaluate]") {
  const Colour model = colour_model();
  const Images images = test::random_images(7, shape, 3, 2);
  const auto p = test::probabilities(model, images);
  const Evaluation result = evaluate(model, images);
  REQUIRE(result.images() == 7);
  double sum = 0;
  for (std::size_t i = 0; i < 7; ++i) {
    CAPTURE(i);
    CHECK(result.image_nats[i].value == Approx(-std::log(p[i])).epsilon(1e-5));
    sum -= std::log(p[i]);
  }
  CHECK(result.nats_per_image() == Approx(sum / 7).epsilon(1e-5));
  CHECK(result.bits_per_dim() == Approx(sum / 7 / 36 / std::numbers::ln2).epsilon(1e-5));
  // The control: the images are not all as likely.
  CHECK(result.image_nats[0].value != Approx(result.image_nats[1].value).epsilon(1e-3));
}

TEST_CASE("Evaluation, the map of nats and the training loss agree", "[training][evaluate]") {
  const Colour model = colour_model();
  const Images images = test::random_images(5, shape, 3, 3);
  const Evaluation result = evaluate(model, images);
  const Tensor<double, 4> map = nats_map(model, images);
  CHECK(map.shape() == Shape<4>{5, 3, 4, 3});

  Tape<float> tape({.threads = 1});
  const FeatureMap<float> x = test::encoded(model, images);
  const auto loss =
      image_nats<execution::OpenMP>(model.likelihood(), model.logits(tape.constant(x)),
                                    TensorView<const Images::Level, 4>(images.pixels()));
  for (Index n = 0; n < 5; ++n) {
    CAPTURE(n);
    double sum = 0;
    for (const double nats : map.view()[n]) {
      CHECK(nats > 0);
      sum += nats;
    }
    const double nats = result.image_nats[static_cast<std::size_t>(n)].value;
    CHECK(sum == nats);  // the same numbers in the same order
    CHECK(static_cast<double>(loss.value().data()[n]) == Approx(nats).epsilon(1e-6));
  }
}

TEST_CASE("The map of nats stands where the sub-pixels stand", "[training][evaluate]") {
  const Colour model = colour_model();
  const Images images = test::random_images(3, shape, 3, 3);
  const FeatureMap<float> z = test::logits_of(model, test::encoded(model, images));
  const Tensor<double, 4> map = nats_map(model, images, {.batch_size = 2});
  for (Index n = 0; n < 3; ++n) {
    for (const auto& [row, column, channel] :
         {std::array<Index, 3>{0, 0, 0}, {0, 0, 2}, {2, 3, 1}, {1, 2, 0}}) {
      const double p = test::probability<test::Softmax<3>>(&z(n, row, column, channel * 3),
                                                           int{images[n](row, column, channel)});
      CHECK(map(n, row, column, channel) == Approx(-std::log(p)).epsilon(1e-5));
    }
  }
}

TEST_CASE("A model that knows nothing needs one bit a binary pixel", "[training][evaluate]") {
  Rng rng(1);
  PixelCNN<> model({.image = {5, 4, 1}, .layers = 1, .hidden = 3, .head = 3}, rng);
  for (const auto& [name, parameter] : parameters(model)) {
    std::fill(parameter->value().begin(), parameter->value().end(), 0.0f);
  }
  const Evaluation result = evaluate(model, test::random_images(3, {5, 4, 1}, 2, 1));
  CHECK(result.nats_per_image() == Approx(20 * std::numbers::ln2).epsilon(1e-6));
  CHECK(result.bits_per_dim() == Approx(1).epsilon(1e-6));
}

TEST_CASE("Evaluation has the same bits for every batch size and number of threads",
          "[training][evaluate]") {
  const Colour model = colour_model();
  const Images images = test::random_images(9, shape, 3, 5);
  const Evaluation once = evaluate(model, images, {.batch_size = 9, .threads = 1});
  const Tensor<double, 4> map = nats_map(model, images, {.batch_size = 9, .threads = 1});
  for (const Index batch : {1, 2, 4, 100}) {
    for (const int threads : {1, 2, 4}) {
      CAPTURE(batch, threads);
      const EvaluateOptions options{.batch_size = batch, .threads = threads};
      const Evaluation again = evaluate(model, images, options);
      for (std::size_t i = 0; i < 9; ++i) {
        CHECK(again.image_nats[i].value == once.image_nats[i].value);
      }
      CHECK(test::bit_difference(nats_map(model, images, options), map) == "");
    }
  }
}

TEST_CASE("With walk_bits an evaluation has the bits of a walk, also of wide convolutions",
          "[training][evaluate]") {
  // 64 channels: convolved by pairs of pixels if one may.
  const auto model = test::random_model<PixelCNN<test::Softmax<3>>>(
      {.image = {3, 4, 1}, .layers = 1, .hidden = 64, .head = 6}, 4);
  const Images images = test::random_images(2, {3, 4, 1}, 3, 5);
  FeatureMap<float> walked({2, 3, 4, 3});
  FeatureMap<float> x({2, 1, 1, 1}), z({2, 1, 1, 3});
  auto cache = model.net().make_cache({.batch = 2, .height = 3, .width = 4, .channels = 1});
  for (Index row = 0; row < 3; ++row) {
    for (Index column = 0; column < 4; ++column) {
      for (Index n = 0; n < 2; ++n) {
        x(n, 0, 0, 0) = model.encode(int{images[n](row, column, 0)});
      }
      model.net().step(cache, row, column, as_rows(x.view()), as_rows(z.view()));
      for (Index n = 0; n < 2; ++n) {
        for (Index level = 0; level < 3; ++level) {
          walked(n, row, column, level) = z(n, 0, 0, level);
        }
      }
    }
    model.net().end_row(cache, row);
  }
  const auto equal = [&](const EvaluateOptions& options) {
    const FeatureMap<float> logits = logits_map(model, images, options);
    return std::equal(logits.view().begin(), logits.view().end(), walked.view().begin());
  };
  CHECK(equal({.walk_bits = true}));
  // The control: by pairs the last bits are others.
  CHECK_FALSE(equal({.walk_bits = false}));
}

TEST_CASE("An evaluation carries the binarisation of its images", "[training][evaluate]") {
  Rng rng(1);
  const PixelCNN<> model({.image = {2, 2, 1}, .layers = 1, .hidden = 3, .head = 3}, rng);
  CHECK(evaluate(model, Images(1, {2, 2, 1}, 2, "stochastic(7)")).binarization == "stochastic(7)");
}

TEST_CASE("No images have no mean", "[training][evaluate]") {
  const Colour model = colour_model();
  const Evaluation result = evaluate(model, Images(0, shape, 3));
  CHECK(result.images() == 0);
  CHECK(std::isnan(result.nats_per_image()));
  CHECK(std::isnan(result.bits_per_dim()));
  CHECK(nats_map(model, Images(0, shape, 3)).size() == 0);
}

TEST_CASE("Evaluation refuses images that do not fit and batches of nothing",
          "[training][evaluate]") {
  const Colour model = colour_model();
  CHECK_THROWS_ERROR(evaluate(model, Images(1, {3, 4, 1}, 3)), ShapeError,
                     "evaluate: images are 3x4x1, the model's are 3x4x3");
  CHECK_THROWS_ERROR(nats_map(model, Images(1, shape, 256)), ConfigError,
                     "nats_map: images have 256 levels, the model's categorical3 likelihood has 3");
  CHECK_THROWS_ERROR(evaluate(model, Images(1, shape, 3), {.batch_size = 0}), ConfigError,
                     "evaluate: batch_size is 0, expected 1 or more");
  CHECK_THROWS_ERROR(evaluate(model, Images(1, shape, 3), {.threads = -1}), ConfigError,
                     "threads is -1");
}

TEST_CASE("An image whose likelihood is no number is named, not averaged", "[training][evaluate]") {
  Colour model = colour_model();
  const Images images = test::random_images(5, shape, 3, 2);
  CHECK_NOTHROW(static_cast<void>(evaluate(model, images)));
  parameters(model).back().parameter->value().data()[1] = std::nanf("");
  CHECK_THROWS_ERROR(static_cast<void>(evaluate(model, images)), NumericError,
                     "evaluate: the nats of image 0 are NaN; the model's weights are not finite or "
                     "diverged");
  CHECK_THROWS_ERROR(static_cast<void>(nats_map(model, images)), NumericError,
                     "nats_map: the nats of image 0 are NaN");
}

TEST_CASE("The map of logits is what the likelihood reads, whatever the batch",
          "[training][evaluate]") {
  const Colour model = colour_model();
  const Images images = test::random_images(5, shape, 3, 2);
  const FeatureMap<float> logits = logits_map(model, images, {.batch_size = 2});
  CHECK(logits.shape() == Shape<4>{5, 3, 4, 9});
  const Tensor<double, 4> nats = nats_map(model, images);
  for (Index i = 0; i < nats.size(); ++i) {
    const double expected =
        Categorical(3).nats(logits.data() + 3 * i, std::span(images.pixels().data() + i, 1));
    CHECK(nats.data()[i] == Approx(expected).epsilon(1e-6));
  }
}

TEST_CASE("Nats by class are the means over the images of each label", "[training][evaluate]") {
  const Evaluation result{{{1}, {2}, {4}, {8}, {16}}, shape, "none"};
  const std::vector<int> labels{7, 0, 7, 3, 0};
  const std::vector<ClassNats> classes = nats_by_class(result, labels);
  REQUIRE(classes.size() == 3);
  CHECK((classes[0].label == 0 && classes[0].images == 2 && classes[0].nats_per_image == 9));
  CHECK((classes[1].label == 3 && classes[1].images == 1 && classes[1].nats_per_image == 8));
  CHECK((classes[2].label == 7 && classes[2].images == 2 && classes[2].nats_per_image == 2.5));
  CHECK(nats_by_class(Evaluation{}, {}).empty());
  CHECK_THROWS_ERROR(static_cast<void>(nats_by_class(result, std::span(labels).first(4))),
                     ShapeError, "there are 4 labels for 5 images");
}
