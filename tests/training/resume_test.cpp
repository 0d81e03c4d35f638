// SPDX-License-Identifier: MIT
#include <algorithm>
#include <functional>
#include <locale>
#include <string>
#include <vector>

#include <pixelrnn/training/trainer.hpp>

#include "support/catch.hpp"
#include "support/training.hpp"

using namespace pixelrnn;

namespace {

using test::some_bars;
using test::tiny_model;
using TinyTrainer = Trainer<test::TinyModel, Adam>;

const Adam rule{.learning_rate = 0.01};

TrainerOptions options() {
  return {.seed = 3,
          .threads = 1,
          .clip_norm = 1,
          .dropout = 0.2,
          .average_decay = 0.8,
          .schedule = cosine_rate(6, 2, 0.1)};
}

/// A checkpoint in memory.
struct Saved {
  test::Snapshot<float> state;
  Metadata words;
};
Saved save(TinyTrainer& trainer) { return {test::state_of(trainer), trainer.metadata()}; }

void load(
    const Saved& saved, TinyTrainer& trainer,
    const std::function<bool(const std::string&)>& wanted = [](auto&) { return true; }) {
  for (const auto& [name, values] : trainer.state()) {
    if (!wanted(name)) continue;
    const FeatureMap<float>& from = saved.state.at(name);
    std::copy(from.begin(), from.end(), values.begin());
  }
  trainer.restore(saved.words);
}

/// Two epochs of 10 images in batches of 4, 4 and 2. What the trainer held after each step, seen
/// from within the callback; and what it reported after each epoch.
struct Run {
  std::vector<Saved> steps;
  std::vector<double> epochs;
};
Run finish(TinyTrainer& trainer) {
  Run run;
  const Images data = some_bars(10);
  trainer.fit(data, {.epochs = 2,
                     .batch_size = 4,
                     .on_step =
                         [&](const StepReport&) {
                           run.steps.push_back(save(trainer));
                           return true;
                         },
                     .on_epoch =
                         [&](const EpochReport& epoch) {
                           run.epochs.push_back(epoch.train_nats_per_image);
                           return true;
                         }});
  run.steps.push_back(save(trainer));
  return run;
}

}  // namespace

TEST_CASE("A training resumed at any step ends with the same bits", "[training][resume]") {
  auto straight_model = tiny_model();
  TinyTrainer straight(straight_model, rule, options());
  const Run whole = finish(straight);
  REQUIRE(whole.steps.size() == 7);
  REQUIRE(whole.epochs.size() == 2);
  for (std::size_t step = 0; step < 6; ++step) {
    CAPTURE(step + 1);
    auto model = tiny_model(99);
    TinyTrainer trainer(model, rule, options());
    load(whole.steps[step], trainer);
    CHECK(trainer.metadata() == whole.steps[step].words);
    CHECK(trainer.steps() == static_cast<Index>(step) + 1);
    const Run rest = finish(trainer);
    CHECK(test::bit_difference(rest.steps.back().state, whole.steps.back().state) == "");
    CHECK(rest.steps.back().words == whole.steps.back().words);
    // Epochs that were begun before and those that had only to be closed report the same mean.
    const std::size_t closed = step < 3 ? 0 : 1;
    CHECK(rest.epochs == std::vector<double>(whole.epochs.begin() + static_cast<Index>(closed),
                                             whole.epochs.end()));
  }
}

TEST_CASE("A training resumed without all of its state ends elsewhere", "[training][resume]") {
  auto straight_model = tiny_model();
  TinyTrainer straight(straight_model, rule, options());
  const Run whole = finish(straight);
  for (const std::string missing : {"optimizer.", "average.", ".mean_square"}) {
    CAPTURE(missing);
    auto model = tiny_model(99);
    TinyTrainer trainer(model, rule, options());
    load(whole.steps[1], trainer,
         [&](const std::string& name) { return name.find(missing) == std::string::npos; });
    CHECK(test::bit_difference(finish(trainer).steps.back().state, whole.steps.back().state) != "");
  }
}

TEST_CASE("A training resumed without the nats of its unfinished epoch reports another mean",
          "[training][resume]") {
  auto straight_model = tiny_model();
  TinyTrainer straight(straight_model, rule, options());
  const Run whole = finish(straight);
  Saved forgetful = whole.steps[1];
  REQUIRE(forgetful.words.at("trainer.epoch_nats") != "0");
  forgetful.words["trainer.epoch_nats"] = "0";
  auto model = tiny_model(99);
  TinyTrainer trainer(model, rule, options());
  load(forgetful, trainer);
  const Run rest = finish(trainer);
  REQUIRE(rest.epochs.size() == 2);
  CHECK(rest.epochs[0] < whole.epochs[0]);
  CHECK(rest.epochs[1] == whole.epochs[1]);
}

TEST_CASE("Where training stands is written and read alike in every locale", "[training][resume]") {
  struct Comma : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
  };
  auto model = tiny_model(), copy = tiny_model(99);
  TinyTrainer trainer(model, rule, options()), other(copy, rule, options());
  trainer.fit(some_bars(10), {.epochs = 2, .steps = 4, .batch_size = 4});
  const Metadata words = trainer.metadata();
  REQUIRE(words.at("trainer.epoch_nats").find('.') != std::string::npos);
  struct Restore {
    std::locale before;
    ~Restore() { std::locale::global(before); }
  } restore{std::locale::global(std::locale(std::locale(), new Comma))};
  CHECK(trainer.metadata() == words);
  other.restore(words);
  CHECK(other.metadata() == words);
}

TEST_CASE("A trainer that goes on is one that was never stopped", "[training][resume]") {
  const Images data = some_bars(10);
  auto straight_model = tiny_model(), halting_model = tiny_model();
  TinyTrainer straight(straight_model, rule, options()), halting(halting_model, rule, options());
  straight.fit(data, {.epochs = 2, .batch_size = 4});
  for (Index step = 1; step <= 6; ++step) {
    halting.fit(data, {.epochs = 2, .steps = step, .batch_size = 4});
  }
  CHECK(test::bit_difference(test::state_of(halting), test::state_of(straight)) == "");
  CHECK(halting.metadata() == straight.metadata());
}

TEST_CASE("The state of a trainer is weights, the rule's tensors and the average, by name",
          "[training][resume]") {
  auto model = tiny_model();
  const std::size_t count = parameters(model).size();
  TinyTrainer trainer(model, rule, options());
  const auto state = trainer.state();
  CHECK(state.size() == 4 * count);
  const auto has = [&](const std::string& name) {
    return std::any_of(state.begin(), state.end(),
                       [&](const NamedTensor<float>& tensor) { return tensor.name == name; });
  };
  for (const auto& [name, parameter] : parameters(model)) {
    CAPTURE(name);
    CHECK(has(name));
    CHECK(has("optimizer." + name + ".mean"));
    CHECK(has("optimizer." + name + ".mean_square"));
    CHECK(has("average." + name));
  }
  TinyTrainer plain(model, rule);
  CHECK(plain.state().size() == 3 * count);
}

TEST_CASE("A trainer describes its model, its rule and where it stands", "[training][resume]") {
  auto model = tiny_model();
  TinyTrainer trainer(model, rule, options());
  trainer.fit(some_bars(10), {.epochs = 2, .steps = 4, .batch_size = 4});
  Metadata words = trainer.metadata();
  CHECK(words.at("model") == "pixel_cnn");
  CHECK(words.at("trainer.rule") == "adam");
  CHECK(words.at("trainer.seed") == "3");
  CHECK(words.at("trainer.average") == "true");
  CHECK(words.at("trainer.steps") == "4");
  CHECK(words.at("trainer.epoch") == "1");
  CHECK(words.at("trainer.position") == "4");
  CHECK(std::stod(words.at("trainer.epoch_nats")) > 0);
}

TEST_CASE("Words of another model, trainer or nothing sensible are refused and change nothing",
          "[training][resume]") {
  auto model = tiny_model();
  TinyTrainer trainer(model, rule, options());
  trainer.fit(some_bars(10), {.epochs = 2, .steps = 4, .batch_size = 4});
  const Metadata words = trainer.metadata();
  const auto with = [&](const std::string& key, const std::string& value) {
    Metadata changed = words;
    changed[key] = value;
    return changed;
  };
  const auto without = [&](const std::string& key) {
    Metadata changed = words;
    changed.erase(key);
    return changed;
  };
  CHECK_THROWS_ERROR(trainer.restore(with("trainer.seed", "4")), ConfigError,
                     "Trainer::restore: the file describes another model or run; trainer.seed is "
                     "\"4\", expected \"3\"");
  CHECK_THROWS_ERROR(trainer.restore(with("hidden", "16")), ConfigError,
                     "hidden is \"16\", expected \"8\"");
  CHECK_THROWS_ERROR(trainer.restore(with("trainer.rule", "sgd")), ConfigError,
                     "trainer.rule is \"sgd\", expected \"adam\"");
  CHECK_THROWS_ERROR(trainer.restore(with("trainer.average", "false")), ConfigError,
                     "trainer.average is \"false\", expected \"true\"");
  for (const std::string value : {"", "-1", "4x", "1e3", "1234567890123456789"}) {
    CAPTURE(value);
    CHECK_THROWS_ERROR(trainer.restore(with("trainer.steps", value)), ConfigError,
                       "Trainer::restore: trainer.steps is \"" + value +
                           "\", expected a whole number of 0 or more");
  }
  CHECK_THROWS_ERROR(trainer.restore(without("trainer.epoch")), ConfigError,
                     "Trainer::restore: trainer.epoch is \"\"");
  CHECK_THROWS_ERROR(trainer.restore(without("trainer.epoch_nats")), ConfigError,
                     "Trainer::restore: trainer.epoch_nats is \"\", expected a number");
  for (const std::string value : {"", "nan", "inf", "1e999", "1.5 2", "1,5"}) {
    CAPTURE(value);
    CHECK_THROWS_ERROR(
        trainer.restore(with("trainer.epoch_nats", value)), ConfigError,
        "Trainer::restore: trainer.epoch_nats is \"" + value + "\", expected a number");
  }
  // What stands there instead may be long, or something that a terminal would obey.
  const std::string nasty = "\x1b[31m" + std::string(1000, '9');
  const std::string shown = "\"?[31m" + std::string(75, '9') + "...\"";
  for (const std::string key : {"trainer.steps", "trainer.epoch_nats"}) {
    CHECK_THROWS_ERROR(trainer.restore(with(key, nasty)), ConfigError,
                       key + " is " + shown + ", expected a");
  }
  Metadata half = with("trainer.steps", "77");
  half.insert_or_assign("trainer.position", std::string("far"));
  CHECK_THROWS_AS(trainer.restore(half), ConfigError);
  CHECK(trainer.metadata() == words);
}
