// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include <pixelrnn/training/trainer.hpp>

#include "support/catch.hpp"
#include "support/training.hpp"

using namespace pixelrnn;

namespace {

using test::some_bars;
using test::tiny_model;

/// Every throw of the coins of 4 × 4 bars and stripes once: the distribution itself.
Images all_throws() {
  Images images(32, {4, 4, 1}, 2);
  for (Index i = 0; i < 32; ++i) {
    for (Index y = 0; y < 4; ++y) {
      for (Index x = 0; x < 4; ++x) {
        images[i](y, x, 0) = static_cast<Images::Level>((i & 15) >> (i < 16 ? x : y) & 1);
      }
    }
  }
  return images;
}

/// Euclidean distance between two snapshots.
double distance(const test::Snapshot<float>& a, const test::Snapshot<float>& b) {
  double sum = 0;
  for (const auto& [name, values] : a) {
    for (Index i = 0; i < values.size(); ++i) {
      const double d =
          static_cast<double>(values.data()[i]) - static_cast<double>(b.at(name).data()[i]);
      sum += d * d;
    }
  }
  return std::sqrt(sum);
}

}  // namespace

TEST_CASE("Reports name the binarisation of the images that their nats are of",
          "[training][trainer]") {
  auto model = tiny_model();
  Trainer trainer(model, Adam{});
  const Images bars = some_bars(8);
  const Images data(Tensor<Images::Level, 4>(bars.pixels()), bars.levels(), "threshold(7)");
  const Images validation(Tensor<Images::Level, 4>(bars.pixels()), bars.levels(), "stochastic(5)");
  std::string of_epoch;
  const FitReport report =
      trainer.fit(data, {.validation = &validation, .on_epoch = [&](const EpochReport& epoch) {
                           of_epoch = epoch.binarization + " " + epoch.validation_binarization;
                           return true;
                         }});
  CHECK(of_epoch == "threshold(7) stochastic(5)");
  CHECK(report.binarization == "threshold(7)");
  CHECK(report.validation_binarization == "stochastic(5)");
}

TEST_CASE("Training brings the loss down to the entropy of the data, and not below",
          "[training][trainer]") {
  const Images data = all_throws();
  const double entropy = bars_and_stripes_entropy(4).value;
  auto model = tiny_model();
  const double before = evaluate(model, data).nats_per_image();
  Trainer trainer(model, Adam{.learning_rate = 0.02}, {.threads = 1, .clip_norm = 5});
  std::vector<double> losses;
  const FitReport report = trainer.fit(
      data, {.epochs = 250, .batch_size = 32, .on_epoch = [&](const EpochReport& epoch) {
               losses.push_back(epoch.train_nats_per_image);
               return true;
             }});
  const double after = evaluate(model, data).nats_per_image();
  CHECK(before > 2.5 * entropy);
  CHECK(after < 1.1 * entropy);
  CHECK(after > entropy);  // Gibbs: the cross entropy of the distribution itself
  CHECK(report.steps == 250);
  CHECK(losses.front() == Approx(before).epsilon(1e-5));  // before the update
  CHECK(losses.back() < losses[25]);
  CHECK(losses[25] < losses.front());
}

TEST_CASE("An epoch shows every image once, in batches whose last may be partial",
          "[training][trainer]") {
  const Images data = some_bars(10);
  auto model = tiny_model();
  Trainer trainer(model, Adam{}, {.threads = 1});
  std::vector<StepReport> steps;
  std::vector<EpochReport> epochs;
  const FitReport report = trainer.fit(data, {.epochs = 2,
                                              .batch_size = 4,
                                              .on_step =
                                                  [&](const StepReport& step) {
                                                    steps.push_back(step);
                                                    return true;
                                                  },
                                              .on_epoch =
                                                  [&](const EpochReport& epoch) {
                                                    epochs.push_back(epoch);
                                                    return true;
                                                  }});
  REQUIRE(steps.size() == 6);
  REQUIRE(epochs.size() == 2);
  const std::vector<Index> positions{4, 8, 10, 4, 8, 10}, sizes{4, 4, 2, 4, 4, 2};
  double sum = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    CAPTURE(i);
    CHECK(steps[i].step == static_cast<Index>(i) + 1);
    CHECK(steps[i].epoch == (i < 3 ? 0 : 1));
    CHECK(steps[i].position == positions[i]);
    CHECK(steps[i].images == sizes[i]);
    CHECK(steps[i].gradient_norm > 0);
    if (i == 3) sum = 0;
    sum += steps[i].nats_per_image * static_cast<double>(steps[i].images);
    if (i % 3 == 2) CHECK(epochs[i / 3].train_nats_per_image == Approx(sum / 10));
  }
  CHECK(epochs[0].epoch == 0);
  CHECK(epochs[1].epoch == 1);
  CHECK(epochs[1].step == 6);
  CHECK_FALSE(epochs[0].validation_nats_per_image);
  CHECK(report.steps == 6);
  CHECK(report.epochs == 2);
  CHECK(report.last_nats_per_image == steps.back().nats_per_image);
  CHECK_FALSE(report.stopped);
  CHECK(trainer.position() == 0);
}

TEST_CASE("The batches of an epoch are its order, one after the other", "[training][trainer]") {
  const Images data = some_bars(7);
  auto model = tiny_model();
  // With a rate of 0 the model stays what it is.
  Trainer trainer(model, SGD{.learning_rate = 0}, {.seed = 5, .threads = 1});
  std::vector<double> losses;
  trainer.fit(data, {.epochs = 2, .batch_size = 1, .on_step = [&](const StepReport& step) {
                       losses.push_back(step.nats_per_image);
                       return true;
                     }});
  const Evaluation each = evaluate(model, data);
  std::vector<Index> order;
  for (Index epoch = 0; epoch < 2; ++epoch) {
    epoch_order(7, 5, epoch, order);
    for (std::size_t i = 0; i < 7; ++i) {
      CAPTURE(epoch, i);
      CHECK(losses[static_cast<std::size_t>(epoch) * 7 + i] ==
            Approx(each.image_nats[static_cast<std::size_t>(order[i])].value).epsilon(1e-6));
    }
  }
}

TEST_CASE("Epochs and steps are totals of a trainer's life", "[training][trainer]") {
  const Images data = some_bars(10);
  auto model = tiny_model();
  Trainer trainer(model, Adam{}, {.threads = 1});
  CHECK(trainer.fit(data, {.epochs = 1, .batch_size = 4}).steps == 3);
  const FitReport nothing = trainer.fit(data, {.epochs = 1, .batch_size = 4});
  CHECK(nothing.steps == 3);
  CHECK(std::isnan(nothing.last_nats_per_image));
  const FitReport middle = trainer.fit(data, {.epochs = 9, .steps = 5, .batch_size = 4});
  CHECK(middle.steps == 5);
  CHECK(middle.epochs == 1);
  CHECK_FALSE(middle.stopped);
  CHECK(trainer.epoch() == 1);
  CHECK(trainer.position() == 8);
  CHECK(trainer.fit(data, {.epochs = 9, .steps = 5, .batch_size = 4}).steps == 5);
  const FitReport rest = trainer.fit(data, {.epochs = 3, .batch_size = 4});
  CHECK(rest.steps == 9);
  CHECK(rest.epochs == 3);
}

TEST_CASE("A batch larger than the data is the data", "[training][trainer]") {
  auto model = tiny_model();
  Trainer trainer(model, Adam{}, {.threads = 1});
  CHECK(trainer.fit(some_bars(3), {.epochs = 2, .batch_size = 100}).steps == 2);
  CHECK(trainer.peak_bytes() > 0);
}

TEST_CASE("A callback that returns false stops the training", "[training][trainer]") {
  const Images data = some_bars(10);
  auto model = tiny_model();
  Trainer trainer(model, Adam{}, {.threads = 1});
  const FitReport by_step =
      trainer.fit(data, {.epochs = 5, .batch_size = 4, .on_step = [](const StepReport& step) {
                           return step.step < 2;
                         }});
  CHECK(by_step.stopped);
  CHECK(by_step.steps == 2);
  CHECK(trainer.position() == 8);
  const FitReport by_epoch =
      trainer.fit(data, {.epochs = 5, .batch_size = 4, .on_epoch = [](const EpochReport& epoch) {
                           return epoch.epoch < 1;
                         }});
  CHECK(by_epoch.stopped);
  CHECK(by_epoch.epochs == 2);
  CHECK(by_epoch.steps == 6);
}

TEST_CASE("Validation is of the averaged weights, and leaves the trained ones in place",
          "[training][trainer]") {
  const Images data = some_bars(12), validation = some_bars(20);
  auto model = tiny_model();
  Trainer trainer(model, Adam{.learning_rate = 0.05}, {.threads = 1, .average_decay = 0.9});
  const FitReport report =
      trainer.fit(data, {.epochs = 3, .batch_size = 4, .validation = &validation});
  const auto trained = test::weights(model);
  const double of_trained = evaluate(model, validation).nats_per_image();
  const double of_average =
      trainer.with_average([&] { return evaluate(model, validation).nats_per_image(); });
  REQUIRE(report.validation_nats_per_image);
  CHECK(*report.validation_nats_per_image == of_average);
  CHECK(of_average != of_trained);
  CHECK(test::bit_difference(test::weights(model), trained) == "");
}

TEST_CASE("The average is that of each step's weights, of the first steps too",
          "[training][trainer]") {
  auto model = tiny_model();
  WeightAverage<float> average(0.99, parameters(model));
  Trainer trainer(model, Adam{.learning_rate = 0.05}, {.threads = 1, .average_decay = 0.99});
  trainer.fit(some_bars(12), {.epochs = 2, .batch_size = 4, .on_step = [&](const StepReport& step) {
                                average.update(step.step);
                                return true;
                              }});
  const auto kept = trainer.with_average([&] { return test::weights(model); });
  average.swap();
  CHECK(test::bit_difference(test::weights(model), kept) == "");
}

TEST_CASE("Trained weights come back even if the use of the average throws",
          "[training][trainer]") {
  auto model = tiny_model();
  Trainer trainer(model, Adam{}, {.threads = 1, .average_decay = 0.5});
  trainer.fit(some_bars(4), {});
  const auto trained = test::weights(model);
  CHECK_THROWS_AS(trainer.with_average([&] {
    CHECK(test::bit_difference(test::weights(model), trained) != "");
    throw std::runtime_error("a user's");
  }),
                  std::runtime_error);
  CHECK(test::bit_difference(test::weights(model), trained) == "");
}

TEST_CASE("A step of plain descent goes as far as clip_norm and the schedule let it",
          "[training][trainer]") {
  const Images data = some_bars(8);
  const auto step_length = [&](TrainerOptions options) {
    auto model = tiny_model();
    options.threads = 1;
    Trainer trainer(model, SGD{.learning_rate = 1}, options);
    const auto before = test::weights(model);
    double norm = 0;
    trainer.fit(data, {.steps = 1, .on_step = [&](const StepReport& step) {
                         norm = step.gradient_norm;
                         return true;
                       }});
    return std::pair(distance(test::weights(model), before), norm);
  };
  const auto [free, norm] = step_length({});
  CHECK(free == Approx(norm).epsilon(1e-4));
  const auto [clipped, norm_before] = step_length({.clip_norm = norm / 4});
  CHECK(norm_before == norm);  // the report is of the gradient before clipping
  CHECK(clipped == Approx(norm / 4).epsilon(1e-4));
  CHECK(step_length({.schedule = [](Index) { return 0.25; }}).first ==
        Approx(norm / 4).epsilon(1e-4));
}

TEST_CASE("The schedule is asked for every step, counted from 0", "[training][trainer]") {
  std::vector<Index> asked;
  auto model = tiny_model();
  Trainer trainer(model, Adam{}, {.threads = 1, .schedule = [&](Index step) {
                                    asked.push_back(step);
                                    return 1.0;
                                  }});
  trainer.fit(some_bars(5), {.epochs = 2, .batch_size = 3});
  CHECK(asked == std::vector<Index>{0, 1, 2, 3});
}

TEST_CASE("A schedule that gives no rate is named with the step, and nothing is changed",
          "[training][trainer]") {
  const Images data = some_bars(6);
  const double infinity = std::numeric_limits<double>::infinity();
  const auto check = [&](double bad, const std::string& shown) {
    auto model = tiny_model();
    Trainer trainer(model, SGD{}, {.threads = 1, .average_decay = 0.5, .schedule = [=](Index step) {
                                     return step == 2 ? bad : 1.0;
                                   }});
    trainer.fit(data, {.steps = 2, .batch_size = 3});
    const auto before = test::state_of(trainer);
    const Metadata words = trainer.metadata();
    CHECK_THROWS_ERROR(trainer.fit(data, {.epochs = 9, .batch_size = 3}), ConfigError,
                       "Trainer: step 3 (epoch 2): TrainerOptions::schedule(2) is " + shown +
                           ", expected a finite factor of 0 or more");
    CHECK(test::bit_difference(test::state_of(trainer), before) == "");
    CHECK(trainer.metadata() == words);
  };
  check(std::numeric_limits<double>::quiet_NaN(), "nan");
  check(infinity, "inf");
  check(-infinity, "-inf");
  check(-0.5, "-0.5");
}

TEST_CASE("A validation that is not finite ends the training and names the epoch",
          "[training][trainer]") {
  // One step an epoch, far too long: the validation is the first to meet the weights it leaves.
  const Images data = some_bars(6);
  auto model = tiny_model();
  bool reported = false;
  Trainer trainer(model, SGD{.learning_rate = 1e20}, {.threads = 1});
  const auto fit = [&] {
    return trainer.fit(data, {.epochs = 9, .validation = &data, .on_epoch = [&](auto&) {
                                return reported = true;
                              }});
  };
  CHECK_THROWS_ERROR(fit(), NumericError, "Trainer: epoch 1 ends with a validation loss of ");
  CHECK(trainer.steps() == 1);
  CHECK(trainer.epoch() == 1);
  CHECK_FALSE(reported);  // what on_epoch saves is not overwritten by what diverged
}

TEST_CASE("A parameter that is not finite is named with the step, and nothing is changed",
          "[training][trainer]") {
  const Images data = some_bars(6);
  auto model = tiny_model();
  Trainer trainer(model, Adam{}, {.threads = 1});
  trainer.fit(data, {.steps = 2, .batch_size = 3});
  parameters(model)[2].parameter->value().data()[0] = std::numeric_limits<float>::quiet_NaN();
  const auto before = test::state_of(trainer);
  const Metadata words = trainer.metadata();
  CHECK_THROWS_ERROR(trainer.fit(data, {.epochs = 9, .batch_size = 3}), NumericError,
                     "Trainer: step 3 (epoch 2) has loss ");
  CHECK_THROWS_ERROR(trainer.fit(data, {.epochs = 9, .batch_size = 3}), NumericError,
                     " has loss nan; first not finite: parameter " + parameters(model)[2].name +
                         "; try a smaller learning_rate or "
                         "TrainerOptions::clip_norm");
  CHECK(test::bit_difference(test::state_of(trainer), before) == "");
  CHECK(trainer.metadata() == words);
}

TEST_CASE("An operation that overflows is named", "[training][trainer]") {
  const Images data = some_bars(6);
  auto model = tiny_model();
  for (float& v : parameters(model)[0].parameter->value()) v *= 1e38f;
  for (float& v : parameters(model)[2].parameter->value()) v *= 1e38f;
  const auto before = test::weights(model);
  Trainer trainer(model, Adam{}, {.threads = 1});
  CHECK_THROWS_ERROR(trainer.fit(data, {}), NumericError,
                     "first not finite: MaskedConv2d (operation ");
  CHECK(test::bit_difference(test::weights(model), before) == "");
  CHECK(trainer.steps() == 0);
}

TEST_CASE("A gradient that overflows while the loss does not is named", "[training][trainer]") {
  // On the way back 1e28 · 1e20 meets before the 1e-30 that keeps the logits small.
  auto model = tiny_model();
  for (const auto& [name, parameter] : parameters(model)) {
    const float value = name == "head1.bias"       ? 1e-30f
                        : name == "head2.weights"  ? 1e20f
                        : name == "logits.weights" ? 1e28f
                                                   : 0.0f;
    std::fill(parameter->value().begin(), parameter->value().end(), value);
  }
  const auto before = test::weights(model);
  Trainer trainer(model, Adam{}, {.threads = 1});
  CHECK_THROWS_ERROR(trainer.fit(some_bars(6), {}), NumericError, " and gradient norm ");
  CHECK_THROWS_ERROR(trainer.fit(some_bars(6), {}), NumericError,
                     "; first not finite: gradient of ");
  CHECK(test::bit_difference(test::weights(model), before) == "");
}

TEST_CASE("A gradient whose square overflows is refused unless it is clipped, and nothing changes",
          "[training][trainer]") {
  // On the way back 1e10 · 1e10 meets before the 1e-30 that keeps the logits small: a gradient of
  // some 1e20 is finite, its square in Adam's state would not be.
  const auto large = [] {
    auto model = tiny_model();
    for (const auto& [name, parameter] : parameters(model)) {
      const float value = name == "head1.bias"                                  ? 1e-30f
                          : name == "head2.weights" || name == "logits.weights" ? 1e10f
                                                                                : 0.0f;
      std::fill(parameter->value().begin(), parameter->value().end(), value);
    }
    return model;
  };
  auto model = large();
  Trainer trainer(model, Adam{}, {.threads = 1});
  const auto before = test::state_of(trainer);
  CHECK_THROWS_ERROR(trainer.fit(some_bars(6), {}), NumericError,
                     ", expected at most 1.84467e+19; try a smaller learning_rate or "
                     "TrainerOptions::clip_norm");
  CHECK(test::bit_difference(test::state_of(trainer), before) == "");
  CHECK(trainer.steps() == 0);
  auto other = large();
  Trainer clipped(other, Adam{}, {.threads = 1, .clip_norm = 1});
  CHECK_NOTHROW(clipped.fit(some_bars(6), {.steps = 1}));
  CHECK(clipped.steps() == 1);
}

TEST_CASE("A trainer forgets what it was told of the images of another fit",
          "[training][trainer]") {
  auto model = tiny_model();
  Trainer trainer(model, Adam{}, {.threads = 1});
  Images told = some_bars(8);
  told.set_condition_maps(FeatureMap<float>({8, 1, 1, 2}));
  trainer.fit(told, {.steps = 2, .batch_size = 4});
  CHECK_NOTHROW(trainer.fit(some_bars(16), {.epochs = 9, .steps = 4, .batch_size = 8}));
  CHECK(trainer.steps() == 4);
}

TEST_CASE("Trainers refuse what cannot work", "[training][trainer]") {
  auto model = tiny_model();
  CHECK_THROWS_ERROR((Trainer(model, Adam{}, {.schedule = {}})), ConfigError,
                     "Trainer: TrainerOptions::schedule is an empty function, expected "
                     "constant_rate(), cosine_rate()");
  CHECK_THROWS_ERROR((Trainer(model, Adam{}, {.clip_norm = -1})), ConfigError,
                     "Trainer: clip_norm is -1, expected 0 (no clipping) or more");
  CHECK_THROWS_ERROR((Trainer(model, Adam{}, {.average_decay = 1})), ConfigError,
                     "WeightAverage: decay is 1");
  CHECK_THROWS_ERROR((Trainer(model, Adam{}, {.threads = -1})), ConfigError, "threads is -1");
  CHECK_THROWS_ERROR((Trainer(model, Adam{.beta1 = 1})), ConfigError, "Adam: beta1 is 1");

  Trainer trainer(model, Adam{}, {.threads = 1});
  CHECK_THROWS_ERROR(trainer.fit(some_bars(2, 5), {}), ShapeError,
                     "Trainer::fit: images are 5x5x1 of 2 levels, the model's are 4x4x1 of 2; see "
                     "binarize() and quantize()");
  CHECK_THROWS_ERROR(trainer.fit(Images(2, {4, 4, 1}, 256), {}), ShapeError,
                     "images are 4x4x1 of 256 levels");
  CHECK_THROWS_ERROR(trainer.fit(some_bars(0), {}), ConfigError,
                     "Trainer::fit: 0 images, batch_size 16, epochs 1, steps 0; expected at least "
                     "one image and one a batch");
  const Images data = some_bars(10), other = some_bars(2, 5);
  CHECK_THROWS_ERROR(trainer.fit(data, {.batch_size = 0}), ConfigError, "batch_size 0");
  CHECK_THROWS_ERROR(trainer.fit(data, {.epochs = -1}), ConfigError, "epochs -1");
  CHECK_THROWS_ERROR(trainer.fit(data, {.steps = -1}), ConfigError, "steps -1");
  CHECK_THROWS_ERROR(trainer.fit(data, {.validation = &other}), ShapeError,
                     "Trainer::fit validation: images are 5x5x1");
  CHECK(trainer.steps() == 0);

  trainer.fit(data, {.steps = 2, .batch_size = 4});
  CHECK_THROWS_ERROR(trainer.fit(some_bars(7), {}), ConfigError,
                     "Trainer::fit: the checkpoint stands at image 8 of an epoch, the data have 7; "
                     "resume with the data it was trained on");
}
