// SPDX-License-Identifier: MIT
// That a training which is saved and restored goes on with the same bits.
#pragma once

#include <algorithm>
#include <limits>
#include <sstream>

#include <pixelrnn/training/trainer.hpp>
#include <pixelrnn/verify/verify.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A training of 2·steps steps must end with the bits of one that stops after `steps`, whose
/// checkpoint (Trainer::state and metadata) another model and trainer take over for the rest. It
/// finds what a model keeps outside its parameters and a rule outside its state. make_model() gives
/// the same model each time it is called; batches are of two images, so give few. `value` is the
/// largest difference. Throws ConfigError if steps < 1, and what a trainer throws.
template <class MakeModel, UpdateRule Rule>
[[nodiscard]] VerifyReport verify_resume(MakeModel&& make_model, const Images& images, Rule rule,
                                         const TrainerOptions& options = {}, Index steps = 3) {
  if (steps < 1) {
    detail::fail<ConfigError>("verify_resume: steps is ", steps, ", expected 1 or more");
  }
  const auto train = [&images](auto& trainer, Index until) {
    trainer.fit(images,
                {.epochs = std::numeric_limits<Index>::max(), .steps = until, .batch_size = 2});
  };
  auto whole = make_model(), begun = make_model(), resumed = make_model();
  Trainer whole_trainer(whole, rule, options), begun_trainer(begun, rule, options),
      resumed_trainer(resumed, rule, options);
  train(whole_trainer, 2 * steps);
  train(begun_trainer, steps);
  const auto saved = begun_trainer.state(), restored = resumed_trainer.state();
  for (std::size_t i = 0; i < saved.size(); ++i) {
    std::copy(saved[i].values.begin(), saved[i].values.end(), restored[i].values.begin());
  }
  resumed_trainer.restore(begun_trainer.metadata());
  train(resumed_trainer, 2 * steps);

  VerifyReport report;
  const auto expected = whole_trainer.state(), found = resumed_trainer.state();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    for (Index v = 0; v < expected[i].values.size(); ++v, ++report.checked) {
      const auto a = expected[i].values.data()[v], b = found[i].values.data()[v];
      if (a == b) continue;
      report.value = std::max(report.value, std::abs(static_cast<double>(a - b)));
      if (report.passed) {
        std::ostringstream where;
        where << "value " << v << " of " << expected[i].name << " is " << b << " after a stop, "
              << a << " without";
        report.passed = false;
        report.where = where.str();
      }
    }
  }
  return report;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
