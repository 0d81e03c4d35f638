// SPDX-License-Identifier: MIT
// Early stopping, and the weights of the best epoch.
#include <pixelrnn/training/best_weights.hpp>

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include <pixelrnn/training/trainer.hpp>

#include "support/catch.hpp"
#include "support/training.hpp"

using namespace pixelrnn;

namespace {

using test::some_bars;
using test::tiny_model;

/// Trains with a rate that makes the validation go up and down; what is seen after each epoch.
struct BestRun {
  std::vector<double> nats;
  std::vector<bool> is_best;
  std::vector<test::Snapshot<float>> weights;  ///< those validated with

  template <class Trainer>
  FitReport fit(Trainer& trainer, FitOptions options) {
    options.batch_size = 4;
    options.on_epoch = [&](const EpochReport& epoch) {
      nats.push_back(*epoch.validation_nats_per_image);
      is_best.push_back(epoch.is_best);
      weights.push_back(trainer.with_average([&] { return test::weights(trainer.model()); }));
      return true;
    };
    return trainer.fit(some_bars(12), options);
  }
  [[nodiscard]] std::size_t best() const {
    return static_cast<std::size_t>(std::min_element(nats.begin(), nats.end()) - nats.begin());
  }
};
/// Goes up and down, and ends above its best.
constexpr Adam restless{.learning_rate = 0.3};

}  // namespace

TEST_CASE("The weights of the best epoch are kept, averaged if an average is",
          "[training][best_weights]") {
  const Images validation = some_bars(20);
  for (const double decay : {0.0, 0.5}) {
    auto model = tiny_model();
    Trainer trainer(model, restless, {.threads = 1, .average_decay = decay, .keep_best = true});
    BestRun run;
    const FitReport report = run.fit(trainer, {.epochs = 12, .validation = &validation});
    const std::size_t best = run.best();
    REQUIRE(best + 1 < run.nats.size());  // else the last would do
    REQUIRE(report.best);
    CHECK(report.best->epoch == static_cast<Index>(best));
    CHECK(report.best->nats_per_image == run.nats[best]);
    for (std::size_t e = 0; e < run.nats.size(); ++e) {
      const bool lowest =
          std::all_of(run.nats.begin(), run.nats.begin() + static_cast<std::ptrdiff_t>(e),
                      [&](double before) { return run.nats[e] < before; });
      CHECK(run.is_best[e] == lowest);
    }

    const auto last = test::weights(model);
    const double lent =
        trainer.with_best([&] { return evaluate(model, validation).nats_per_image(); });
    CHECK(lent == run.nats[best]);
    CHECK(test::bit_difference(test::weights(model), last) == "");
    trainer.take_best();
    CHECK(test::bit_difference(test::weights(model), run.weights[best]) == "");
    CHECK(evaluate(model, validation).nats_per_image() == run.nats[best]);
  }
}

TEST_CASE("Best weights that are not there are refused, and so is a run that could have none",
          "[training][best_weights]") {
  const Images data = some_bars(8);
  auto model = tiny_model();
  Trainer without(model, Adam{});
  without.fit(data, {.validation = &data});
  CHECK_THROWS_ERROR(without.take_best(), ConfigError, "TrainerOptions::keep_best");
  Trainer trainer(model, Adam{}, {.keep_best = true});
  CHECK_THROWS_ERROR(trainer.with_best([] {}), ConfigError,
                     "an epoch that ended with a validation");
  CHECK_THROWS_ERROR(static_cast<void>(trainer.fit(data, {})), ConfigError,
                     "keep_best needs images to compare epochs by; give them as "
                     "FitOptions::validation");
  CHECK_THROWS_ERROR(static_cast<void>(without.fit(data, {.patience = 2})), ConfigError,
                     "patience needs images");
  CHECK_THROWS_ERROR(static_cast<void>(without.fit(data, {.validation = &data, .patience = -1})),
                     ConfigError, "patience is -1, expected 0");
}

TEST_CASE("Training ends when patience does, not before, and not again when resumed",
          "[training][best_weights]") {
  const Images validation = some_bars(20);
  auto free_model = tiny_model();
  Trainer free_trainer(free_model, restless, {.threads = 1});
  BestRun all;
  all.fit(free_trainer, {.epochs = 12, .validation = &validation});
  int ended_early = 0;
  for (const Index patience : {1, 2, 3}) {
    // By the definition: the first epoch after which so many have not gained.
    std::optional<Index> end;
    Index waited = 0;
    double lowest = std::numeric_limits<double>::infinity();
    for (std::size_t e = 0; e < all.nats.size() && !end; ++e) {
      waited = all.nats[e] < lowest ? 0 : waited + 1;
      lowest = std::min(lowest, all.nats[e]);
      if (waited == patience) end = static_cast<Index>(e) + 1;
    }
    auto model = tiny_model();
    Trainer trainer(model, restless, {.threads = 1});
    BestRun run;
    const FitOptions options{.epochs = 12, .validation = &validation, .patience = patience};
    const FitReport report = run.fit(trainer, options);
    CAPTURE(patience);
    ended_early += end.has_value() ? 1 : 0;
    CHECK(report.epochs == end.value_or(12));
    CHECK(report.stopped == end.has_value());
    CHECK(report.stagnated == end.has_value());

    // Stopped after three epochs and resumed, it ends where it would have ended.
    auto half_model = tiny_model(), resumed_model = tiny_model();
    Trainer half(half_model, restless, {.threads = 1}),
        resumed(resumed_model, restless, {.threads = 1});
    BestRun first, second;
    first.fit(half, {.epochs = 3, .validation = &validation, .patience = patience});
    const auto from = half.state(), to = resumed.state();
    for (std::size_t i = 0; i < from.size(); ++i) {
      std::copy(from[i].values.begin(), from[i].values.end(), to[i].values.begin());
    }
    resumed.restore(half.metadata());
    const FitReport rest = second.fit(resumed, options);
    CHECK(rest.epochs == report.epochs);
    CHECK(rest.best->epoch == report.best->epoch);
    CHECK(rest.best->nats_per_image == report.best->nats_per_image);
    const FitReport again = second.fit(resumed, options);
    CHECK(again.steps == rest.steps);
    CHECK(again.stagnated == end.has_value());
  }
  CHECK(ended_early > 0);
}
