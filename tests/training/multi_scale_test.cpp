// SPDX-License-Identifier: MIT
#include <pixelrnn/autodiff/gradcheck.hpp>
#include <pixelrnn/models/gated_pixel_cnn.hpp>
#include <pixelrnn/models/pixel_rnn.hpp>
#include <pixelrnn/training/batch_gradient.hpp>
#include <pixelrnn/training/multi_scale.hpp>
#include <pixelrnn/training/toy.hpp>
#include <pixelrnn/training/trainer.hpp>
#include <pixelrnn/verify/samples.hpp>
#include <pixelrnn/verify/verify.hpp>

#include "support/backends.hpp"
#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

namespace {

using ScaleRow = PixelRNN<RowLSTM<>>;
using ScaleDiagonal = PixelRNN<DiagonalBiLSTM<>>;

ScaleRow scale_small(Index size = 2, Index channels = 1) {
  return test::random_model<ScaleRow>(
      {.image = {size, size, channels}, .layers = 1, .hidden = 4, .head = 4}, 1);
}
ScaleDiagonal scale_large(Index size = 4, Index channels = 1, Index features = 5) {
  return test::random_model<ScaleDiagonal>(
      {.image = {size, size, channels},
       .layers = 1,
       .hidden = 4,
       .head = 4,
       .condition = {.channels = channels, .features = features}},
      2);
}

/// Remembers of how many images it was told at once, at most.
struct Watched : ScaleRow {
  using ScaleRow::ScaleRow;
  mutable Index most = 0;
  void set_condition(Tape<float>& tape, const ConditionView& told, Index images) const {
    most = std::max(most, images);
    ScaleRow::set_condition(tape, told, images);
  }
};

}  // namespace

TEST_CASE("Training never puts more maps through their network than a batch has",
          "[training][multi_scale]") {
  Rng rng(1);
  Watched model({.image = {4, 4, 1},
                 .layers = 1,
                 .hidden = 4,
                 .head = 4,
                 .condition = {.channels = 1, .features = 3}},
                rng);
  Images images = test::random_images(40, {4, 4, 1}, 2, 9);
  images.set_condition_maps(enlarged(subsampled(images, 2), 2));
  images.set_labels(std::vector<int>(40, 3));
  Trainer trainer(model, Adam{}, {.threads = 1});
  trainer.fit(images, {.batch_size = 4});
  CHECK(model.most == 4);
}

TEST_CASE("Subsampled images are every few pixels, enlarged ones each several times",
          "[core][scales]") {
  Images images(2, {4, 6, 2}, 5);
  for (Index i = 0; i < images.pixels().size(); ++i) {
    images.pixels().data()[i] = static_cast<Images::Level>(i % 5);
  }
  images.set_labels({3, 4});
  const Images small = subsampled(images, 2);
  CHECK(small.image_shape() == ImageShape{2, 3, 2});
  CHECK(small.labels() == std::vector<int>{3, 4});
  const FeatureMap<float> maps = enlarged(small, 2);
  REQUIRE(maps.shape() == Shape<4>{2, 4, 6, 2});
  for (Index n = 0; n < 2; ++n) {
    for (Index r = 0; r < 4; ++r) {
      for (Index j = 0; j < 6; ++j) {
        for (Index c = 0; c < 2; ++c) {
          const auto level = images[n](r / 2 * 2, j / 2 * 2, c);
          CHECK(small[n](r / 2, j / 2, c) == level);
          CHECK(maps(n, r, j, c) == static_cast<float>(level) / 2 - 1);
        }
      }
    }
  }
  CHECK(subsampled(images, 1).pixels().size() == images.pixels().size());
  CHECK_THROWS_ERROR(subsampled(images, 3), ConfigError,
                     "subsampled: factor is 3, expected 1 or more that divides height and width of "
                     "images 4x6x2");
  CHECK_THROWS_ERROR(subsampled(images, 0), ConfigError, "factor is 0");
  CHECK_THROWS_ERROR(enlarged(images, 0), ConfigError, "enlarged: factor is 0");
}

TEST_CASE("A model that is told maps through a network is a distribution given them",
          "[training][multi_scale]") {
  for (const Index features : {0, 5}) {
    CAPTURE(features);
    const auto model = scale_large(3, 1, features);
    Rng rng(3);
    FeatureMap<float> map({1, 3, 3, 1});
    for (float& v : map) v = static_cast<float>(rng.uniform(-1, 1));
    const VerifyOptions options{.conditions = {.maps = map}};
    CHECK(verify_normalisation(model, 1e-4, options).where == "");
    CHECK(verify_causality(model, options).where == "");
    CHECK(verify_samplers(model, options).where == "");
    const auto again = ScaleDiagonal::made_of(ModelWords("test", model.describe()), 1 << 20);
    REQUIRE(again.has_value());
    CHECK(again->describe() == model.describe());
    CHECK(parameter_count(*again) == parameter_count(model));
  }
  CHECK(scale_large().describe().at("condition") == "1 channels through 5 features");
  Rng rng(1);
  CHECK_THROWS_ERROR(
      ScaleRow({.image = {2, 2, 1}, .condition = {.classes = 3, .features = 4}}, rng), ConfigError,
      "model: Config::condition is {classes=3, channels=0, features=4}");
}

TEST_CASE("The network of maps is trained", "[training][multi_scale]") {
  using Exact = PixelRNN<RowLSTM<LearnedState, test::ReferenceBackend>>;
  auto model = test::random_model<Exact>({.image = {2, 3, 1},
                                          .layers = 1,
                                          .hidden = 3,
                                          .head = 3,
                                          .condition = {.channels = 2, .features = 3}},
                                         4);
  Images images = test::random_images(2, {2, 3, 1}, 2, 5);
  FeatureMap<float> maps({2, 2, 3, 2});
  Rng rng(6);
  for (float& v : maps) v = static_cast<float>(rng.uniform(-1, 1));
  images.set_condition_maps(maps);
  FeatureMap<double> x(images.pixels().shape());
  encode(model, images.pixels(), x);
  const GradcheckReport report = gradcheck(model, {x}, [&](Tape<double>&, const auto& in) {
    return image_nats<execution::OpenMP>(
        model.likelihood(), logits_given(model, in[0], images.conditions()), images.pixels());
  });
  INFO(report.where);
  CHECK(report);
  CHECK(parameters(model).back().name == "condition.maps1.bias");
}

TEST_CASE("Two scales are the small image, then the large one given it",
          "[training][multi_scale]") {
  for (const Index channels : {1, 3}) {
    CAPTURE(channels);
    const MultiScale scales(scale_small(2, channels), scale_large(4, channels), 2);
    CHECK(scales.image_shape() == ImageShape{4, 4, channels});
    const SampleOptions options{.seed = 7, .threads = 2};
    const Images drawn = sample(scales, 40, options);
    const Images small = sample(scales.small, 40, options);
    SampleOptions given{.seed = detail::seed_of_scale(7)};
    given.conditions.maps = enlarged(small, 2);
    CHECK(test::difference(drawn, sample(scales.large, 40, given)) == "");
    // Another small image is another large one.
    given.conditions.maps = enlarged(sample(scales.small, 40, {.seed = 8}), 2);
    CHECK(test::difference(drawn, sample(scales.large, 40, given)) != "");

    const Images images = test::random_images(3, {4, 4, channels}, 2, 9);
    const Evaluation sum = evaluate(scales, images);
    const Evaluation first = evaluate(scales.small, subsampled(images, 2));
    Images told = images;
    told.set_condition_maps(enlarged(subsampled(images, 2), 2));
    const Evaluation second = evaluate(scales.large, told);
    for (std::size_t n = 0; n < 3; ++n) {
      CHECK(sum.image_nats[n].value == first.image_nats[n].value + second.image_nats[n].value);
    }
    // Of another size, at both scales.
    SampleOptions wide = options;
    wide.height = 6, wide.width = 8;
    SampleOptions small_wide = options;
    small_wide.height = 3, small_wide.width = 4;
    given.conditions.maps = enlarged(sample(scales.small, 5, small_wide), 2);
    given.height = 6, given.width = 8;
    CHECK(test::difference(sample(scales, 5, wide), sample(scales.large, 5, given)) == "");
    wide.width = 7;
    CHECK_THROWS_ERROR(sample(scales, 5, wide), ConfigError,
                       "SampleOptions::height and width are 6 and 7, expected multiples of 2");
    // A third scale around the two.
    const MultiScale three(scales, scale_large(8, channels), 2);
    CHECK(sample(three, 2, {.seed = 1}).image_shape() == ImageShape{8, 8, channels});
    CHECK(evaluate(three, test::random_images(2, {8, 8, channels}, 2, 9)).images() == 2);
  }
}

TEST_CASE("A large image costs less where the small one is known", "[training][multi_scale]") {
  // Each pixel of a small image four times: nothing is left to say.
  Rng rng(1);
  Images images(256, {4, 4, 1}, 2);
  for (Index n = 0; n < images.count(); ++n) {
    for (Index r = 0; r < 4; r += 2) {
      for (Index j = 0; j < 4; j += 2) {
        const auto level = static_cast<Images::Level>(rng.below(2));
        for (Index i = 0; i < 4; ++i) images[n](r + i / 2, j + i % 2, 0) = level;
      }
    }
  }
  Rng weights(2);
  MultiScale scales(ScaleRow({.image = {2, 2, 1}, .layers = 1, .hidden = 4, .head = 4}, weights),
                    GatedPixelCNN<>({.image = {4, 4, 1},
                                     .layers = 2,
                                     .hidden = 8,
                                     .head = 8,
                                     .condition = {.channels = 1, .features = 4}},
                                    weights),
                    2);
  Trainer(scales.large, Adam{.learning_rate = 1e-2})
      .fit(scales.large_set(images), {.epochs = 10, .batch_size = 16});
  const double given = evaluate(scales.large, scales.large_set(images)).nats_per_image();
  CHECK(given < 0.5);
  CHECK(evaluate(scales, images).nats_per_image() > given + 4 * 0.6);
  // The control: told the next image's small one.
  Images others = images.slice(0, 255);
  others.set_condition_maps(enlarged(subsampled(images.slice(1, 255), 2), 2));
  CHECK(evaluate(scales.large, others).nats_per_image() > 10);
}

TEST_CASE("Scales that do not fit are refused", "[training][multi_scale]") {
  CHECK_THROWS_ERROR(MultiScale(scale_small(), scale_large(6), 2), ShapeError,
                     "MultiScale: the models are of images 2x2x1 and 6x6x1, expected 2 times");
  CHECK_THROWS_ERROR(MultiScale(scale_small(2), scale_large(), 0), ConfigError,
                     "MultiScale: factor is 0");
  Rng rng(1);
  CHECK_THROWS_ERROR(MultiScale(scale_small(), ScaleRow({.image = {4, 4, 1}}, rng), 2), ConfigError,
                     "the large model is told 0 channels");
}
