// SPDX-License-Identifier: MIT
// What a trainer and a call of fit are told, and what they report.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>

#include <pixelrnn/core/images.hpp>
#include <pixelrnn/optim/schedule.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// What stays the same for the life of a trainer.
struct TrainerOptions {
  std::uint64_t seed = 1;    ///< of the order of the images, and of dropout
  int threads = 0;           ///< 0: as many as OpenMP offers
  double clip_norm = 0;      ///< largest global gradient norm; 0: no clipping
  double dropout = 0;        ///< probability that a step sets a number in a block to 0; 0: none
  double average_decay = 0;  ///< of the weight average, less in the first steps; 0: none is kept
  bool keep_best = false;    ///< keep a copy of the weights of the epoch with the best validation
  Schedule schedule = constant_rate();
};

/// The epoch with the lowest validation nats so far.
struct BestEpoch {
  Index epoch = 0;  ///< counted from 0
  double nats_per_image = 0;
};

/// After each step: mean nats per image of the batch, before the update.
struct StepReport {
  Index step = 0;      ///< steps taken so far, this one included
  Index epoch = 0;     ///< counted from 0
  Index position = 0;  ///< images of this epoch seen so far
  Index images = 0;    ///< images of this batch
  double nats_per_image = 0;
  double gradient_norm = 0;
};
/// After each epoch.
struct EpochReport {
  Index epoch = 0;  ///< counted from 0
  Index step = 0;
  double train_nats_per_image = 0;                        ///< mean over the epoch, even if resumed
  std::optional<double> validation_nats_per_image;        ///< with FitOptions::validation
  std::string binarization{}, validation_binarization{};  ///< what the nats are those of
  bool is_best = false;  ///< of all epochs so far, by the validation
};
struct FitReport {
  Index steps = 0, epochs = 0;  ///< of the trainer's whole life
  double last_nats_per_image = std::numeric_limits<double>::quiet_NaN();
  std::optional<double> validation_nats_per_image;
  std::string binarization{}, validation_binarization{};
  std::optional<BestEpoch> best;  ///< of the trainer's whole life; with FitOptions::validation
  bool stopped = false;           ///< before the last epoch: by a callback, or out of patience
  bool stagnated = false;         ///< out of patience
};

/// One call of fit. `epochs` and `steps` are totals of the trainer's life, so that a restored
/// trainer finishes what was begun; steps = 0 is no limit. Callbacks return whether to go on; the
/// trainer may be checkpointed from within them.
struct FitOptions {
  Index epochs = 1;
  Index steps = 0;
  Index batch_size = 16;
  const Images* validation =
      nullptr;  ///< evaluated after each epoch, with averaged weights if kept
  /// Early stopping: fit ends when so many epochs in a row have not lowered the validation nats.
  /// 0: it does not. Epochs before a checkpoint count too.
  Index patience = 0;
  std::function<bool(const StepReport&)> on_step{};
  std::function<bool(const EpochReport&)> on_epoch{};
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
