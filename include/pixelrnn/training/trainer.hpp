// SPDX-License-Identifier: MIT
// Trainer: shuffled batches, loss, reverse sweep, clipping, update; resumable at any step.
#pragma once

#include <functional>
#include <limits>
#include <locale>
#include <optional>
#include <sstream>
#include <string>

#include <pixelrnn/optim/optimizer.hpp>
#include <pixelrnn/optim/schedule.hpp>
#include <pixelrnn/optim/weight_average.hpp>
#include <pixelrnn/training/batch_gradient.hpp>
#include <pixelrnn/training/dataset.hpp>
#include <pixelrnn/training/evaluate.hpp>
#include <pixelrnn/training/state.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// What stays the same for the life of a trainer.
struct TrainerOptions {
  std::uint64_t seed = 1;    ///< of the order of the images
  int threads = 0;           ///< 0: as many as OpenMP offers
  double clip_norm = 0;      ///< largest global gradient norm; 0: no clipping
  double average_decay = 0;  ///< of the weight average; 0: none is kept
  Schedule schedule = constant_rate();
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
};
struct FitReport {
  Index steps = 0, epochs = 0;  ///< of the trainer's whole life
  double last_nats_per_image = std::numeric_limits<double>::quiet_NaN();
  std::optional<double> validation_nats_per_image;
  std::string binarization{}, validation_binarization{};
  bool stopped = false;  ///< by a callback
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
  std::function<bool(const StepReport&)> on_step{};
  std::function<bool(const EpochReport&)> on_epoch{};
};

/// An on_epoch callback that stops when the validation nats have not improved by `least` for
/// `patience` epochs. Throws ConfigError if patience < 1; at run time if there is no validation
/// set. What it has seen is not part of a checkpoint: a resumed training begins to count anew.
class EarlyStopping {
 public:
  explicit EarlyStopping(Index patience, double least = 0) : patience_(patience), least_(least) {
    if (patience < 1) {
      detail::fail<ConfigError>("EarlyStopping: patience is ", patience, ", expected 1 or more");
    }
  }
  bool operator()(const EpochReport& report) {
    if (!report.validation_nats_per_image) {
      detail::fail<ConfigError>("EarlyStopping: there is no validation set; give one as ",
                                "FitOptions::validation");
    }
    if (*report.validation_nats_per_image < best_ - least_) {
      best_ = *report.validation_nats_per_image;
      waited_ = 0;
      return true;
    }
    return ++waited_ < patience_;
  }

 private:
  Index patience_;
  double least_;
  double best_ = std::numeric_limits<double>::infinity();
  Index waited_ = 0;
};

/// Trains a model by maximum likelihood: the loss of a batch is its mean nats per image. The model
/// must outlive the trainer and stay where it is. Same seed, same binary: same bits for any number
/// of threads. After the first steps of each batch size a step allocates no memory.
template <Model M, UpdateRule Rule>
class Trainer {
 public:
  using Scalar = typename M::Scalar;

  Trainer(M& model, Rule rule, TrainerOptions options = {})
      : model_(model),
        options_(std::move(options)),
        optimizer_(rule, parameters(model)),
        gradient_(model, options_.threads) {
    if (!(options_.clip_norm >= 0)) {
      detail::fail<ConfigError>("Trainer: clip_norm is ", options_.clip_norm,
                                ", expected 0 (no clipping) or more");
    }
    if (options_.average_decay != 0) {
      average_.emplace(options_.average_decay, parameters(model));
    }
  }

  [[nodiscard]] M& model() { return model_; }
  [[nodiscard]] Optimizer<Rule, Scalar>& optimizer() { return optimizer_; }
  [[nodiscard]] Index steps() const { return optimizer_.steps(); }
  [[nodiscard]] Index epoch() const { return epoch_; }
  [[nodiscard]] Index position() const { return position_; }
  /// Bytes of activations, saved state and gradients the largest step so far has used, at most:
  /// each worker's largest count, whether they fell together or not.
  [[nodiscard]] std::size_t peak_bytes() const { return gradient_.peak_bytes(); }

  /// Trains on Images, DynamicImages or another DataSet. Throws ShapeError or ConfigError if the
  /// data do not fit the model or the schedule gives no rate, NumericError if a loss or gradient is
  /// not finite; the weights are then those before the failing step. NumericError too if a
  /// validation loss is not finite: on_epoch, which may save, is not called then.
  template <DataSet Data>
  FitReport fit(const Data& data, const FitOptions& options) {
    check(data, options);
    FitReport report;
    report.binarization = binarization_of(data);
    if (options.validation != nullptr) {
      report.validation_binarization = options.validation->binarization();
    }
    while (!report.stopped && epoch_ < options.epochs && !finished(options)) {
      const double count = static_cast<double>(data.count());
      epoch_order(data.count(), options_.seed, static_cast<Index>(epoch_), order_);
      while (!report.stopped && position_ < data.count() && !finished(options)) {
        const StepReport step = train_step(data, options);
        report.last_nats_per_image = step.nats_per_image;
        if (options.on_step && !options.on_step(step)) report.stopped = true;
      }
      if (position_ < data.count()) break;
      position_ = 0;
      EpochReport epoch{epoch_++, steps(), std::exchange(epoch_nats_, 0) / count, {}};
      if (options.validation != nullptr) {
        epoch.validation_nats_per_image = validate(*options.validation, options);
        report.validation_nats_per_image = epoch.validation_nats_per_image;
      }
      epoch.binarization = report.binarization;
      epoch.validation_binarization = report.validation_binarization;
      if (options.on_epoch && !options.on_epoch(epoch)) report.stopped = true;
    }
    report.steps = steps();
    report.epochs = epoch_;
    return report;
  }

  /// Calls use() with the averaged weights in place of the trained ones, if an average is kept.
  template <class Use>
  decltype(auto) with_average(Use&& use) {
    struct Swap {
      std::optional<WeightAverage<Scalar>>& average;
      explicit Swap(std::optional<WeightAverage<Scalar>>& a) : average(a) {
        if (average) average->swap();
      }
      ~Swap() {
        if (average) average->swap();
      }
    } swap(average_);
    return use();
  }

  /// Everything a checkpoint must hold beside metadata(): weights, the update rule's state, the
  /// weight average.
  [[nodiscard]] std::vector<NamedTensor<Scalar>> state() {
    std::vector<NamedTensor<Scalar>> tensors = weights_of(model_);
    const std::size_t count = tensors.size();
    for (std::size_t p = 0; p < count; ++p) {
      for (std::size_t s = 0; s < Rule::state_names.size(); ++s) {
        tensors.push_back(
            {"optimizer." + tensors[p].name + "." + Rule::state_names[s], optimizer_.state(p, s)});
      }
      if (average_) tensors.push_back({"average." + tensors[p].name, average_->average(p)});
    }
    return tensors;
  }
  /// The words that fix what the state means: they must agree when restoring.
  [[nodiscard]] Metadata description() const {
    Metadata words = model_.describe();
    words["trainer.rule"] = Rule::name;
    words["trainer.seed"] = std::to_string(options_.seed);
    words["trainer.average"] = average_ ? "true" : "false";
    return words;
  }
  /// description() and where training stands.
  [[nodiscard]] Metadata metadata() const {
    Metadata words = description();
    words["trainer.steps"] = std::to_string(steps());
    words["trainer.epoch"] = std::to_string(epoch_);
    words["trainer.position"] = std::to_string(position_);
    std::ostringstream nats;
    nats.imbue(std::locale::classic());
    nats.precision(std::numeric_limits<double>::max_digits10);
    nats << epoch_nats_;
    words["trainer.epoch_nats"] = nats.str();
    return words;
  }
  /// Takes the position from metadata(); the tensors are restored through state().
  /// Throws ConfigError if the words describe another model or trainer, or are not numbers.
  void restore(const Metadata& words) {
    require_metadata("Trainer::restore", description(), words);
    const Index steps = number(words, "trainer.steps");
    const Index epoch = number(words, "trainer.epoch");
    const Index position = number(words, "trainer.position");
    epoch_nats_ = nats_of(words);
    epoch_ = epoch;
    position_ = position;
    optimizer_.set_steps(steps);
  }

 private:
  template <class Data>
  void check(const Data& data, const FitOptions& options) const {
    using L = typename M::Likelihood;
    if (data.image_shape() != model_.image_shape() || data.levels() != L::levels) {
      detail::fail<ShapeError>("Trainer::fit: images are ", data.image_shape(), " of ",
                               data.levels(), " levels, the model's are ", model_.image_shape(),
                               " of ", L::levels, "; see binarize() and quantize()");
    }
    if (data.count() < 1 || options.batch_size < 1 || options.epochs < 0 || options.steps < 0) {
      detail::fail<ConfigError>("Trainer::fit: ", data.count(), " images, batch_size ",
                                options.batch_size, ", epochs ", options.epochs, ", steps ",
                                options.steps, "; expected at least one image and one a batch");
    }
    if (options.validation != nullptr) {
      require_images("Trainer::fit validation", model_, *options.validation);
    }
    if (position_ > data.count()) {
      detail::fail<ConfigError>("Trainer::fit: the checkpoint stands at image ", position_,
                                " of an epoch, the data have ", data.count(),
                                "; resume with the data it was trained on");
    }
  }
  [[nodiscard]] bool finished(const FitOptions& options) const {
    return options.steps > 0 && steps() >= options.steps;
  }

  template <class Data>
  StepReport train_step(const Data& data, const FitOptions& options) {
    const double rate_factor = scheduled();
    const Index images = std::min(options.batch_size, data.count() - position_);
    const TensorView<const Images::Level, 4> levels =
        gather(data, images, std::min(options.batch_size, data.count()));
    const FeatureView<Scalar> x = x_.view().slice(0, images);
    encode(model_, levels, x);

    for (const auto& [name, parameter] : optimizer_.parameters()) parameter->clear_gradient();
    StepReport report{steps() + 1, epoch_, position_ + images, images, gradient_(x, levels), 0};
    if (!std::isfinite(report.nats_per_image)) fail_non_finite(report, x, levels);
    report.gradient_norm = options_.clip_norm > 0
                               ? clip_gradients(optimizer_.parameters(), options_.clip_norm)
                               : gradient_norm(optimizer_.parameters());
    if (!std::isfinite(report.gradient_norm)) fail_non_finite(report, x, levels);
    optimizer_.step(rate_factor);
    if (average_) average_->update();
    position_ += images;
    epoch_nats_ += report.nats_per_image * static_cast<double>(images);
    return report;
  }

  /// The schedule's factor for the next step.
  [[nodiscard]] double scheduled() const {
    const double factor = options_.schedule(steps());
    if (!(factor >= 0 && std::isfinite(factor))) {
      detail::fail<ConfigError>("Trainer: step ", steps() + 1, " (epoch ", epoch_ + 1,
                                "): TrainerOptions::schedule(", steps(), ") is ", factor,
                                ", expected a finite factor of 0 or more");
    }
    return factor;
  }

  /// The next images in the epoch's order, one after the other.
  template <class Data>
  TensorView<const Images::Level, 4> gather(const Data& data, Index images, Index batch_size) {
    const ImageShape s = data.image_shape();
    if (x_.empty() || x_.shape().n() != batch_size) {
      x_ = FeatureMap<Scalar>({batch_size, s.height, s.width, s.channels});
      batch_ = Tensor<Images::Level, 4>(x_.shape());
    }
    for (Index i = 0; i < images; ++i) {
      fetch(data, order_[static_cast<std::size_t>(position_ + i)], epoch_, batch_.view()[i]);
    }
    return batch_.view().slice(0, images);
  }

  double validate(const Images& images, const FitOptions& options) {
    const double nats = with_average([&] {
      return evaluate(model_, images,
                      {.batch_size = options.batch_size, .threads = options_.threads})
          .nats_per_image();
    });
    if (!std::isfinite(nats) && images.count() > 0) {
      detail::fail<NumericError>("Trainer: epoch ", epoch_, " ends with a validation loss of ",
                                 nats, "; try a smaller learning_rate or ",
                                 "TrainerOptions::clip_norm");
    }
    return nats;
  }

  /// Names the first thing at fault: a parameter, else an operation, else a gradient.
  [[noreturn]] void fail_non_finite(const StepReport& report, FeatureView<const Scalar> x,
                                    TensorView<const Images::Level, 4> levels) {
    const auto finite = [](const auto& values) {
      return std::all_of(values.begin(), values.end(), [](Scalar v) { return std::isfinite(v); });
    };
    std::string culprit;
    for (const auto& [name, parameter] : optimizer_.parameters()) {
      if (culprit.empty() && !finite(parameter->value())) culprit = "parameter " + name;
    }
    if (culprit.empty()) culprit = gradient_.first_non_finite(x, levels);
    for (const auto& [name, parameter] : optimizer_.parameters()) {
      if (culprit.empty() && !finite(parameter->gradient())) culprit = "gradient of " + name;
    }
    // Of a loss that is not finite there is no gradient.
    std::ostringstream norm;
    if (std::isfinite(report.nats_per_image)) {
      norm << " and gradient norm " << detail::shown(report.gradient_norm);
    }
    detail::fail<NumericError>("Trainer: step ", report.step, " (epoch ", report.epoch + 1,
                               ") has loss ", report.nats_per_image, norm.str(),
                               "; first not finite: ", culprit.empty() ? "the loss" : culprit,
                               "; try a smaller learning_rate or TrainerOptions::clip_norm");
  }

  static Index number(const Metadata& words, const std::string& key) {
    const auto word = words.find(key);
    const std::string text = word == words.end() ? "" : word->second;
    const bool digits = !text.empty() && text.size() <= 18 &&
                        text.find_first_not_of("0123456789") == std::string::npos;
    if (!digits) {
      detail::fail<ConfigError>("Trainer::restore: ", key, " is ", detail::in_quotes(text),
                                ", expected a whole number of 0 or more");
    }
    return static_cast<Index>(std::stoll(text));
  }
  static double nats_of(const Metadata& words) {
    const auto word = words.find("trainer.epoch_nats");
    const std::string text = word == words.end() ? "" : word->second;
    std::istringstream in(text);
    in.imbue(std::locale::classic());
    double nats = 0;
    if (!(in >> nats) || !in.eof() || !std::isfinite(nats)) {
      detail::fail<ConfigError>("Trainer::restore: trainer.epoch_nats is ", detail::in_quotes(text),
                                ", expected a number");
    }
    return nats;
  }

  M& model_;
  TrainerOptions options_;
  Optimizer<Rule, Scalar> optimizer_;
  std::optional<WeightAverage<Scalar>> average_;
  BatchGradient<M> gradient_;
  FeatureMap<Scalar> x_;
  Tensor<Images::Level, 4> batch_;
  std::vector<Index> order_;
  Index epoch_ = 0;
  Index position_ = 0;
  double epoch_nats_ = 0;  ///< of the images of this epoch seen so far
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
