// SPDX-License-Identifier: MIT
// Checkpoints: stop anywhere and go on with the same bits, keep the best weights, load them alone.
#include <filesystem>
#include <iostream>
#include <limits>
#include <string>

#include <pixelrnn/io/checkpoint.hpp>
#include <pixelrnn/pixelrnn.hpp>

using namespace pixelrnn;

/// A run is its model, its trainer and nothing else: both sides of an interruption make the same.
struct Run {
  explicit Run(std::uint64_t weights)
      : rng(weights),
        model({.image = {6, 6, 1}, .layers = 1, .hidden = 8}, rng),
        trainer(model, Adam{.learning_rate = 1e-2}, {.seed = 3, .average_decay = 0.9}) {}
  Run(const Run&) = delete;  // the trainer points at the model

  Rng rng;
  PixelRNN<> model;
  Trainer<PixelRNN<>, Adam> trainer;
};

int main() {
  Rng rng(1);
  const Images train_set = bars_and_stripes(512, 6, rng), valid_set = bars_and_stripes(128, 6, rng);
  const auto validate = [&](const auto& model) {
    return evaluate(model, valid_set).nats_per_image();
  };
  const std::string latest = "example_latest.safetensors", best = "example_best.safetensors";

  // Uninterrupted, writing the averaged weights whenever they are the best so far.
  Run whole(1);
  double lowest = std::numeric_limits<double>::infinity();
  FitOptions options{.epochs = 3, .batch_size = 16, .validation = &valid_set};
  options.on_epoch = [&](const EpochReport& epoch) {
    if (*epoch.validation_nats_per_image < lowest) {
      lowest = *epoch.validation_nats_per_image;
      whole.trainer.with_average([&] { save_weights(best, whole.model, {{"note", "the best"}}); });
    }
    return true;
  };
  whole.trainer.fit(train_set, options);

  // The same, stopped in the middle of an epoch, and continued by what could be another process:
  // its weights differ until the checkpoint is loaded.
  {
    Run first_half(1);
    first_half.trainer.fit(train_set, {.epochs = 3, .steps = 50, .batch_size = 16});
    save_checkpoint(latest, first_half.trainer);
  }
  Run second_half(2);
  load_checkpoint(latest, second_half.trainer);
  std::cout << "resumed at step " << second_half.trainer.steps() << ", epoch "
            << second_half.trainer.epoch() << ", image " << second_half.trainer.position() << '\n';
  second_half.trainer.fit(train_set, {.epochs = 3, .batch_size = 16});
  const bool same_bits = validate(second_half.model) == validate(whole.model);
  std::cout << (same_bits ? "the same bits" : "OTHER bits")
            << " as without the interruption: " << validate(second_half.model) << " nats\n";

  // The weights alone, for sampling and evaluation; the file says what it is of.
  Rng any(0);
  PixelRNN<> model({.image = {6, 6, 1}, .layers = 1, .hidden = 8}, any);
  load_weights(best, model);
  std::cout << "the best weights: " << validate(model) << " nats\n";
  for (const auto& [key, value] : read_metadata(best)) {
    std::cout << "  " << key << " = " << value << '\n';
  }

  // A file of another model is refused, with everything that differs.
  bool refused = false;
  try {
    PixelRNN<RowLSTM<>> other({.image = {6, 6, 1}, .layers = 1, .hidden = 8}, any);
    load_weights(best, other);
  } catch (const ConfigError& error) {
    std::cout << error.what() << '\n';
    refused = true;
  }
  std::filesystem::remove(latest);
  std::filesystem::remove(best);
  return same_bits && validate(model) == lowest && refused ? 0 : 1;
}
