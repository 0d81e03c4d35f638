// SPDX-License-Identifier: MIT
// Training with everything a trainer offers: clipping, schedule, weight average, validation, early
// stop, a look at every step, dynamic binarisation, and errors that name what went wrong.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <string>
#include <vector>

#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

/// Grey images of 256 levels: a bright disc somewhere, with soft edges.
Images draw_discs(Index count, Rng& rng) {
  Images images(count, {10, 10, 1}, 256);
  for (Index i = 0; i < count; ++i) {
    const double row = rng.uniform(3, 6), column = rng.uniform(3, 6), radius = rng.uniform(2, 4);
    for (Index y = 0; y < 10; ++y) {
      for (Index x = 0; x < 10; ++x) {
        const double distance =
            std::hypot(static_cast<double>(y) - row, static_cast<double>(x) - column);
        images[i](y, x, 0) =
            static_cast<Images::Level>(255 * std::clamp(radius - distance + 0.5, 0.0, 1.0));
      }
    }
  }
  return images;
}

int main() {
  Rng rng(1);
  // The training set is drawn afresh each epoch; what is reported is measured on a fixed set, whose
  // binarisation is part of the result.
  const DynamicImages train_set = binarize(draw_discs(600, rng), Dynamic{.seed = 1});
  const Images valid_set = binarize(draw_discs(200, rng), Stochastic{.seed = 2});

  PixelRNN<RowLSTM<>> model({.image = {10, 10, 1}, .layers = 2, .hidden = 8}, rng);
  Trainer trainer(model, RMSProp{.learning_rate = 5e-3},
                  {.seed = 3,
                   .clip_norm = 20,
                   .average_decay = 0.98,
                   .schedule = cosine_rate(600, /*warmup=*/20, /*last=*/0.05)});

  // Callbacks say whether to go on. The gradient norm is the one before clipping.
  FitOptions options{.epochs = 15, .batch_size = 16, .validation = &valid_set, .patience = 2};
  Index looks = 0;
  options.on_step = [&looks](const StepReport& step) {
    if (step.step % 100 == 0) {
      std::cout << "  step " << step.step << ": " << step.nats_per_image << " nats, gradient norm "
                << step.gradient_norm << '\n';
    }
    ++looks;
    return true;
  };
  std::vector<double> validation;
  options.on_epoch = [&](const EpochReport& epoch) {
    validation.push_back(*epoch.validation_nats_per_image);
    std::cout << "epoch " << epoch.epoch + 1 << ": " << epoch.train_nats_per_image
              << " nats, validation " << validation.back() << '\n';
    return true;
  };
  const FitReport report = trainer.fit(train_set, options);
  std::cout << (report.stopped ? "stopped early" : "ran to the end") << " after " << report.epochs
            << " epochs, " << report.steps << " steps\n";

  // Validation uses the averaged weights; with_average lends them to anybody.
  const double averaged =
      trainer.with_average([&] { return evaluate(model, valid_set).nats_per_image(); });
  const Evaluation plain = evaluate(model, valid_set);
  std::cout << averaged << " nats an image with averaged weights, " << plain.nats_per_image()
            << " with the last ones; " << plain.bits_per_dim() << " bits/dim ("
            << plain.binarization << ")\n";
  const bool trained = looks == report.steps && validation.back() < 0.85 * validation.front() &&
                       averaged == validation.back();

  // fit() goes on where the last one stopped, also within an epoch, and the bits do not show it;
  // checkpoint.cpp does the same with a file in between.
  const Images fixed = binarize(draw_discs(64, rng), Threshold{128});
  const auto after = [&](std::initializer_list<Index> stops) {
    Rng weights(5);
    PixelCNN<> net({.image = {10, 10, 1}, .layers = 1, .hidden = 4}, weights);
    Trainer steady(net, SGD{.learning_rate = 1e-3, .momentum = 0.9});
    for (const Index stop : stops) {
      steady.fit(fixed, {.epochs = 2, .steps = stop, .batch_size = 8});
    }
    return evaluate(net, fixed).nats_per_image();
  };
  const bool resumed = after({12}) == after({5, 12});

  // A rate far too large: the error names the step and the first thing that is not finite.
  bool named = false;
  try {
    Trainer wild(model, SGD{.learning_rate = 1e12});
    wild.fit(fixed, {.epochs = 5});
  } catch (const NumericError& error) {
    std::cout << error.what() << '\n';
    named = std::string(error.what()).find("first not finite") != std::string::npos;
  }
  return trained && resumed && named ? 0 : 1;
}
