// SPDX-License-Identifier: MIT
// Trainer: shuffled batches, loss, reverse sweep, clipping, update; resumable at any step.
#pragma once

#include <limits>
#include <optional>
#include <sstream>
#include <string>

#include <pixelrnn/optim/optimizer.hpp>
#include <pixelrnn/optim/weight_average.hpp>
#include <pixelrnn/training/batch_gradient.hpp>
#include <pixelrnn/training/best_weights.hpp>
#include <pixelrnn/training/dataset.hpp>
#include <pixelrnn/training/evaluate.hpp>
#include <pixelrnn/training/fit_options.hpp>
#include <pixelrnn/training/state.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

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
        loss_(model, options_.threads),
        gradients_(model) {
    if (!options_.schedule) {
      detail::fail<ConfigError>("Trainer: TrainerOptions::schedule is an empty function, expected ",
                                "constant_rate(), cosine_rate() or any factor by step");
    }
    if (!(options_.clip_norm >= 0)) {
      detail::fail<ConfigError>("Trainer: clip_norm is ", options_.clip_norm,
                                ", expected 0 (no clipping) or more");
    }
    require_dropout("Trainer", options_.dropout);
    if (options_.average_decay != 0) {
      average_.emplace(options_.average_decay, parameters(model));
    }
    if (options_.keep_best) best_weights_.emplace(model);
  }

  [[nodiscard]] M& model() { return model_; }
  [[nodiscard]] Optimizer<Rule, Scalar>& optimizer() { return optimizer_; }
  [[nodiscard]] Index steps() const { return optimizer_.steps(); }
  [[nodiscard]] Index epoch() const { return epoch_; }
  [[nodiscard]] Index position() const { return position_; }
  /// The epoch, counted from 0, that ended with the lowest validation nats so far; none before the
  /// first with a validation set.
  [[nodiscard]] std::optional<BestEpoch> best() const { return best_; }
  /// Bytes of activations, saved state and gradients the largest step so far has used, at most:
  /// each worker's largest count, whether they fell together or not.
  [[nodiscard]] std::size_t peak_bytes() const {
    return loss_.peak_bytes() + gradients_.values().size_bytes();
  }

  /// Trains on Images, DynamicImages or another DataSet. Throws ShapeError or ConfigError if the
  /// data do not fit the model or the schedule gives no rate, NumericError if a loss or gradient is
  /// not finite; the weights are then those before the failing step. NumericError too if a
  /// validation loss is not finite: on_epoch, which may save, is not called then. Afterwards the
  /// model has the weights of the last step: see with_best and take_best.
  template <DataSet Data>
  FitReport fit(const Data& data, const FitOptions& options) {
    require_trainable(data, options);
    FitReport report;
    report.binarization = binarization_of(data);
    if (options.validation != nullptr) {
      report.validation_binarization = options.validation->binarization();
    }
    // A run that has waited long enough does not begin anew when it is resumed.
    report.stopped = report.stagnated = is_stagnant(options);
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
        epoch.is_best = consider(epoch);
      }
      epoch.binarization = report.binarization;
      epoch.validation_binarization = report.validation_binarization;
      if (options.on_epoch && !options.on_epoch(epoch)) report.stopped = true;
      if (is_stagnant(options)) report.stopped = report.stagnated = true;
    }
    report.best = best_;
    report.steps = steps();
    report.epochs = epoch_;
    return report;
  }

  [[nodiscard]] bool keeps_average() const { return average_.has_value(); }
  [[nodiscard]] bool has_best_weights() const { return best_weights_ && best_; }
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
  /// Calls use() with the weights of the best epoch (their average, if one is kept) in place of the
  /// trained ones. Throws ConfigError if they are not kept (TrainerOptions::keep_best) or no epoch
  /// has ended with a validation yet.
  template <class Use>
  decltype(auto) with_best(Use&& use) {
    require_best("with_best");
    struct Swap {
      BestWeights<Scalar>& best;
      explicit Swap(BestWeights<Scalar>& b) : best(b) { best.swap(); }
      ~Swap() { best.swap(); }
    } swap(*best_weights_);
    return use();
  }
  /// Gives the model these weights for good: at the end of a training. Throws likewise.
  void take_best() {
    require_best("take_best");
    best_weights_->copy_to_model();
  }

  /// Everything a checkpoint must hold beside metadata(): weights, the update rule's state, the
  /// weight average. (The best weights are checkpointed apart: with_best.)
  [[nodiscard]] std::vector<NamedTensor<Scalar>> state() {
    std::vector<NamedTensor<Scalar>> tensors = weights_of(model_);
    const std::size_t count = tensors.size();
    for (std::size_t p = 0; p < count; ++p) {
      for (std::size_t s = 0; s < Rule::state_names.size(); ++s) {
        tensors.push_back(
            {"optimizer." + tensors[p].name + "." + Rule::state_names[s], optimizer_.state(p, s)});
      }
      if (average_) tensors.push_back({"average." + tensors[p].name, average_->average(p)});
      if (best_weights_) tensors.push_back({"best." + tensors[p].name, best_weights_->values(p)});
    }
    return tensors;
  }
  /// The words that fix what the state means: they must agree when restoring.
  [[nodiscard]] Metadata description() const {
    Metadata words = model_.describe();
    words["trainer.rule"] = Rule::name;
    words["trainer.seed"] = std::to_string(options_.seed);
    words["trainer.average"] = average_ ? "true" : "false";
    if (best_weights_) words["trainer.keep_best"] = "true";
    return words;
  }
  /// description() and where training stands.
  [[nodiscard]] Metadata metadata() const {
    Metadata words = description();
    words["trainer.steps"] = std::to_string(steps());
    words["trainer.epoch"] = std::to_string(epoch_);
    words["trainer.position"] = std::to_string(position_);
    words["trainer.epoch_nats"] = detail::number_text(epoch_nats_);
    if (best_) {
      words["trainer.best_epoch"] = std::to_string(best_->epoch);
      words["trainer.best_nats"] = detail::number_text(best_->nats_per_image);
    }
    return words;
  }
  /// Takes the position from metadata(); the tensors are restored through state().
  /// Throws ConfigError if the words describe another model or trainer, or are not numbers.
  void restore(const Metadata& words) {
    require_metadata("Trainer::restore", description(), words);
    const Index steps = detail::number_in(words, "trainer.steps");
    const Index epoch = detail::number_in(words, "trainer.epoch");
    const Index position = detail::number_in(words, "trainer.position");
    const double nats = detail::nats_in(words, "trainer.epoch_nats");
    std::optional<BestEpoch> best;
    if (words.contains("trainer.best_epoch")) {
      best = {detail::number_in(words, "trainer.best_epoch"),
              detail::nats_in(words, "trainer.best_nats")};
    }
    epoch_nats_ = nats;
    best_ = best;
    epoch_ = epoch;
    position_ = position;
    optimizer_.set_steps(steps);
  }

 private:
  template <class Data>
  void require_trainable(const Data& data, const FitOptions& options) const {
    const int levels = model_.likelihood().levels();
    if (data.image_shape() != model_.image_shape() || data.levels() != levels) {
      detail::fail<ShapeError>("Trainer::fit: images are ", data.image_shape(), " of ",
                               data.levels(), " levels, the model's are ", model_.image_shape(),
                               " of ", levels, "; see binarize() and quantize()");
    }
    if (data.count() < 1 || options.batch_size < 1 || options.epochs < 0 || options.steps < 0) {
      detail::fail<ConfigError>("Trainer::fit: ", data.count(), " images, batch_size ",
                                options.batch_size, ", epochs ", options.epochs, ", steps ",
                                options.steps, "; expected at least one image and one a batch");
    }
    require_told(told_of(data), data.count());
    if (options.validation != nullptr) {
      require_images("Trainer::fit validation", model_, *options.validation);
      if (options.validation->image_shape() != model_.image_shape()) {
        detail::fail<ShapeError>("Trainer::fit validation: images are ",
                                 options.validation->image_shape(), ", the model's are ",
                                 model_.image_shape());
      }
      require_told(options.validation->conditions(), options.validation->count());
    } else if (options.patience > 0 || options_.keep_best) {
      detail::fail<ConfigError>("Trainer::fit: ", options.patience > 0 ? "patience" : "keep_best",
                                " needs images to compare epochs by; give them as ",
                                "FitOptions::validation");
    }
    if (options.patience < 0) {
      detail::fail<ConfigError>("Trainer::fit: patience is ", options.patience,
                                ", expected 0 (no end before the last epoch) or more");
    }
    if (position_ > data.count()) {
      detail::fail<ConfigError>("Trainer::fit: the checkpoint stands at image ", position_,
                                " of an epoch, the data have ", data.count(),
                                "; resume with the data it was trained on");
    }
  }
  /// Finds out now, not after an epoch, what M::set_condition does not take: of labels each, of
  /// maps the first, for they are all of one shape, and through a network they take many times the
  /// memory of the data.
  void require_told(const ConditionView& told, Index images) const {
    if constexpr (ConditionalModel<M>) {
      Tape<Scalar> tape({.threads = 1, .record = false});
      bool first_alone = images > 1 && told.maps.shape().n() == images;
      if constexpr (requires { model_.condition().classes; }) {
        first_alone = first_alone && model_.condition().classes == 0;
      }
      model_.set_condition(tape, first_alone ? told.slice(0, 1) : told, first_alone ? 1 : images);
    }
  }
  void require_best(const char* what) const {
    if (has_best_weights()) return;
    detail::fail<ConfigError>(
        "Trainer::", what, ": there are no best weights, expected ",
        "TrainerOptions::keep_best and an epoch that ended with a validation");
  }
  /// Takes an epoch for the best if it is; says whether.
  bool consider(const EpochReport& epoch) {
    const double nats = *epoch.validation_nats_per_image;
    // Without images the validation is NaN, and none is the best.
    if (std::isnan(nats) || (best_ && nats >= best_->nats_per_image)) return false;
    if (best_weights_) with_average([this] { best_weights_->copy_from_model(); });
    best_ = {epoch.epoch, nats};
    return true;
  }
  /// Whether as many epochs as one has patience for ended without a gain.
  [[nodiscard]] bool is_stagnant(const FitOptions& options) const {
    return options.patience > 0 && best_ && epoch_ - 1 - best_->epoch >= options.patience;
  }
  [[nodiscard]] bool finished(const FitOptions& options) const {
    return options.steps > 0 && steps() >= options.steps;
  }

  template <class Data>
  StepReport train_step(const Data& data, const FitOptions& options) {
    const double rate_factor = scheduled();
    const Index images = std::min(options.batch_size, data.count() - position_);
    Batch batch = gather(data, images, std::min(options.batch_size, data.count()));
    batch.dropout = {options_.dropout, options_.seed, static_cast<std::uint32_t>(steps())};

    gradients_.clear();
    StepReport report{steps() + 1, epoch_, position_ + images, images, loss_(batch, gradients_), 0};
    if (!std::isfinite(report.nats_per_image)) fail_non_finite(report, batch);
    report.gradient_norm = options_.clip_norm > 0 ? clip_gradients(gradients_, options_.clip_norm)
                                                  : gradient_norm(gradients_);
    if (!std::isfinite(report.gradient_norm)) fail_non_finite(report, batch);
    require_squares(report);
    optimizer_.step(gradients_, rate_factor);
    if (average_) average_->update(steps());
    position_ += images;
    epoch_nats_ += report.nats_per_image * static_cast<double>(images);
    return report;
  }

  /// Rules keep squares of gradients, which must be finite too: 1.8·10¹⁹ is the largest in float.
  void require_squares(const StepReport& report) const {
    const double norm = options_.clip_norm > 0 ? std::min(report.gradient_norm, options_.clip_norm)
                                               : report.gradient_norm;
    const double most = std::sqrt(static_cast<double>(std::numeric_limits<Scalar>::max()));
    if (norm <= most) return;
    detail::fail<NumericError>("Trainer: step ", report.step, " (epoch ", report.epoch + 1,
                               ") has gradient norm ", norm, ", expected at most ", most,
                               "; try a smaller learning_rate or TrainerOptions::clip_norm");
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
  Batch gather(const Data& data, Index images, Index batch_size) {
    const ImageShape s = data.image_shape();
    const ConditionView told = told_of(data);
    const Shape<4> levels{batch_size, s.height, s.width, s.channels};
    if (levels_.shape() != levels) levels_ = Tensor<Images::Level, 4>(levels);
    detail::make_room(told_, told, batch_size);
    for (Index i = 0; i < images; ++i) {
      const Index image = order_[static_cast<std::size_t>(position_ + i)];
      fetch(data, image, epoch_, levels_.view()[i]);
      detail::copy_told(told, image, told_, i);
    }
    return Batch(levels_.view(), told_).slice(0, images);
  }

  double validate(const Images& images, const FitOptions& options) {
    const double nats = with_average([&] {
      return detail::evaluate_unchecked(
                 model_, images, {.batch_size = options.batch_size, .threads = options_.threads})
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
  [[noreturn]] void fail_non_finite(const StepReport& report, const Batch& batch) {
    const auto finite = [](const auto& values) {
      return std::all_of(values.begin(), values.end(), [](Scalar v) { return std::isfinite(v); });
    };
    std::string culprit;
    for (const auto& [name, parameter] : optimizer_.parameters()) {
      if (culprit.empty() && !finite(parameter->value())) culprit = "parameter " + name;
    }
    if (culprit.empty()) culprit = loss_.first_non_finite(batch);
    for (const auto& [name, parameter] : optimizer_.parameters()) {
      if (culprit.empty() && !finite(gradients_[*parameter])) culprit = "gradient of " + name;
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

  M& model_;
  TrainerOptions options_;
  Optimizer<Rule, Scalar> optimizer_;
  std::optional<WeightAverage<Scalar>> average_;
  std::optional<BestWeights<Scalar>> best_weights_;
  std::optional<BestEpoch> best_;
  BatchGradient<M> loss_;
  Gradients<Scalar> gradients_;
  Tensor<Images::Level, 4> levels_;  ///< of a batch
  Conditions told_;                  ///< of its images
  std::vector<Index> order_;
  Index epoch_ = 0;
  Index position_ = 0;
  double epoch_nats_ = 0;  ///< of the images of this epoch seen so far
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
