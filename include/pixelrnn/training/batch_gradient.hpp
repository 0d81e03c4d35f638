// SPDX-License-Identifier: MIT
// BatchGradient: the loss of a batch and its gradient, a few images at a time where that pays.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/autodiff/gradients.hpp>
#include <pixelrnn/core/thread_choice.hpp>
#include <pixelrnn/core/tuning.hpp>
#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/models/model.hpp>
#include <pixelrnn/models/parts.hpp>
#include <pixelrnn/training/batch.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// L = mean nats per image of a batch, or Σ weight · nats if it has weights, and dL/dθ.
///
/// Of a small net what a reverse sweep needs of all images is far larger than its weights and does
/// not stay in a cache from forward to reverse. So a batch goes through the net a few images at a
/// time, forward and back, on a tape for each worker: one of MNIST's, twelve of 8 × 8 pixels.
/// Threads meet once in a round of 8 such parts or more, not in each layer, and memory is that of
/// the images under way. Parts are the same for any number of threads, and of eight at a time the
/// gradients are added in pairs, pairs of pairs and so on: bits are the same. Large nets, which
/// would have to read their weights once more for each part, take the whole batch at once, and so
/// do nets that do not promise SeparatesImages.
template <Model M>
class BatchGradient {
 public:
  using Scalar = typename M::Scalar;

  /// The model must outlive this and stay where it is.
  BatchGradient(const M& model, int threads)
      : model_(model),
        parameters_(parameters(model)),
        in_parts_(SeparatesImages<M> && parameter_count(model) <= tuning::small_net),
        threads_(threads),
        tape_({.threads = threads}) {}

  /// Adds dL/dθ to `gradients` and returns L. If that is not finite, they are incomplete. After the
  /// first calls of each number of images, and of each number of threads where that is left open
  /// (0), it allocates no memory. Throws ShapeError if there is no image, not a weight for each (or
  /// none), or what the model is told does not fit; ConfigError if it must be told something and is
  /// not, `gradients` are for none of its parameters, dropout is not 0 <= rate < 1, or the net
  /// has none; ValueError if a level is none of the likelihood's.
  double operator()(const Batch& batch, Gradients<Scalar>& gradients) {
    require_batch(batch);
    const bool is_for_it = std::ranges::any_of(
        parameters_, [&](const auto& named) { return gradients.contains(*named.parameter); });
    if (!is_for_it && !parameters_.empty()) {
      detail::fail<ConfigError>("BatchGradient: the gradients are for no parameter of the model, ",
                                "expected Gradients(model); those of a copy are others");
    }
    return choice_.template run<E>(threads_, batch.count(),
                                   [&] { return add_gradient(batch, gradients); });
  }

  /// The first operation on the way from x to the loss whose output is not finite, with its
  /// position; empty if none. Goes there once more, by the parts of the batch.
  [[nodiscard]] std::string first_non_finite(const Batch& batch) {
    require_batch(batch);
    const Chunks parts = parts_of(batch);
    std::string found;
    for (Index i = 0; i < parts.size() && found.empty(); ++i) {
      const Index first = parts.first(i), size = parts.last(i) - first;
      static_cast<void>(loss(tape_, batch.slice(first, size), batch.count()));
      found = tape_.first_non_finite();
    }
    return found;
  }

  /// Bytes of activations, saved state and gradients, at most.
  [[nodiscard]] std::size_t peak_bytes() const {
    std::size_t bytes = tape_.peak_bytes();
    for (const auto& part : of_parts_) bytes += part.values().size_bytes();
    return bytes;
  }

 private:
  using E = ExecutionOf<M>;

  [[nodiscard]] Chunks parts_of(const Batch& batch) const {
    const Shape<4> s = batch.levels.shape();
    if (!in_parts_) return {s.n(), 1};
    const Index images =
        std::max<Index>(1, tuning::part_pixels / std::max<Index>(1, s.h() * s.w()));
    return {s.n(), (s.n() + images - 1) / images};
  }
  void require_batch(const Batch& batch) const {
    const Index images = batch.count();
    if (images < 1 || (!batch.weights.empty() && std::ssize(batch.weights) != images)) {
      detail::fail<ShapeError>("BatchGradient: levels are ", batch.levels.shape(), " with ",
                               batch.weights.size(),
                               " weights, expected N >= 1 and as many weights or none");
    }
    require_dropout("BatchGradient", batch.dropout.rate);
    detail::require_conditions("BatchGradient", batch.told, images);
    detail::require_levels("BatchGradient", model_.likelihood(), batch.levels);
  }

  double add_gradient(const Batch& batch, Gradients<Scalar>& gradients) {
    const Index images = batch.count();
    const Chunks parts = parts_of(batch);
    if (parts.size() == 1) return add_gradient(tape_, batch, images, gradients);
    // A round is eight parts, or twice as many, or ...: two for each worker, so that few of them
    // wait for others at its end.
    constexpr Index eight = tuning::summed_parts;
    const Index workers = E::workers(threads_, parts.size());
    const Index round = std::min(parts.size(), (2 * workers + eight - 1) / eight * eight);
    while (std::ssize(of_parts_) < round) of_parts_.emplace_back(model_);
    losses_.resize(static_cast<std::size_t>(parts.size()));
    for (Index begin = 0; begin < parts.size(); begin += round) {
      const Index count = std::min(round, parts.size() - begin);
      detail::for_each_image_part<E>(
          tape_, parts, begin, count, [&](Index i, Tape<Scalar>& tape, Index first, Index size) {
            Gradients<Scalar>& own = of_parts_[static_cast<std::size_t>(i)];
            own.clear();
            losses_[static_cast<std::size_t>(begin + i)] =
                add_gradient(tape, batch.slice(first, size), images, own);
          });
      for (Index i = 0; i < count; i += eight) add_up(i, std::min(eight, count - i), gradients);
    }
    return std::accumulate(losses_.begin(), losses_.end(), 0.0);
  }

  /// gradients += ((p_0 + p_1) + (p_2 + p_3)) + ... of `count` parts from `first` on.
  void add_up(Index first, Index count, Gradients<Scalar>& gradients) {
    const auto part = [&](Index i) {
      return of_parts_[static_cast<std::size_t>(first + i)].values();
    };
    detail::for_each_part<E>(threads_, std::ssize(part(0)), [&](Index at, Index size) {
      for (Index apart = 1; apart < count; apart *= 2) {
        for (Index i = 0; i + apart < count; i += 2 * apart) {
          detail::add_to(size, part(i + apart).data() + at, part(i).data() + at);
        }
      }
    });
    const Gradients<Scalar>& sum = of_parts_[static_cast<std::size_t>(first)];
    for (const auto& [name, parameter] : parameters_) {
      if (!gradients.contains(*parameter)) continue;
      detail::add_to(parameter->size(), sum[*parameter].data(), gradients[*parameter].data());
    }
  }

  /// Σ of the nats of a part of a batch, by their weights or, without, by the number of images of
  /// the whole batch.
  Variable<Scalar> loss(Tape<Scalar>& tape, const Batch& part, Index images) const {
    tape.reset();
    tape.set_dropout(part.dropout);
    const FeatureView<Scalar> x =
        tape.allocate(detail::ordered_shape(orientation_of(model_), part.levels.shape()));
    encode(model_, part.levels, x);
    const auto levels = detail::ordered_levels(model_, part.levels, tape.workspace());
    const Variable<Scalar> logits = logits_given(model_, tape.constant(x), part.told);
    if (part.dropout.rate > 0 && tape.dropped_maps() == 0) {
      detail::fail<ConfigError>("BatchGradient: dropout is ", part.dropout.rate,
                                ", but the net has none; expected 0, or p.dropout(x) in a ",
                                "Network or a layer Dropout");
    }
    const Variable<Scalar> total =
        sum(image_nats<E>(model_.likelihood(), logits, levels, part.weights));
    return part.weights.empty() ? scale(total, Scalar{1} / static_cast<Scalar>(images)) : total;
  }
  double add_gradient(Tape<Scalar>& tape, const Batch& batch, Index images,
                      Gradients<Scalar>& gradients) const {
    const Variable<Scalar> part = loss(tape, batch, images);
    const Scalar value = part.value().data()[0];
    if (std::isfinite(value)) tape.backward(part, gradients);
    return static_cast<double>(value);
  }

  const M& model_;
  std::vector<NamedConstParameter<Scalar>> parameters_;
  bool in_parts_;
  int threads_;
  ThreadChoice choice_;
  Tape<Scalar> tape_;
  std::vector<Gradients<Scalar>> of_parts_;  ///< of a round
  std::vector<double> losses_;               ///< of the parts
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
