// SPDX-License-Identifier: MIT
// BatchGradient: the loss of a batch and its gradient, a few images at a time where that pays.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <pixelrnn/autodiff/functions.hpp>
#include <pixelrnn/autodiff/gradient_rooms.hpp>
#include <pixelrnn/core/thread_choice.hpp>
#include <pixelrnn/core/tuning.hpp>
#include <pixelrnn/kernels/backend.hpp>
#include <pixelrnn/models/model.hpp>
#include <pixelrnn/training/batch.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// L = mean nats per image of a batch, or Σ weight · nats if it has weights, and dL/dθ.
///
/// Of a small net what a reverse sweep needs of all images is far larger than its weights and does
/// not stay in a cache from forward to reverse. So a batch goes through the net an image at a
/// time, forward and back, on a tape for each worker: threads meet once in a round of 8 parts or
/// more, not in each layer, and memory is that of the images under way. Parts are the same for any
/// number of threads and their gradients are added in order, and so bits are the same. Large nets,
/// which would have to read their weights once more for each part, take the whole batch at once,
/// and so do nets that do not promise SeparatesImages.
template <Model M>
class BatchGradient {
 public:
  using Scalar = typename M::Scalar;

  /// The model must outlive this and stay where it is.
  BatchGradient(M& model, int threads)
      : model_(model),
        rooms_(parameters(model)),
        in_parts_(SeparatesImages<M> && parameter_count(model) <= tuning::small_net),
        threads_(threads),
        whole_({.threads = threads}) {}

  /// Adds dL/dθ to the parameters' gradients and returns L. If that is not finite, they are
  /// incomplete. After the first calls of each number of images, and of each number of threads
  /// where that is left open (0), it allocates no memory. Throws ShapeError if there is no image,
  /// not a weight for each (or none), or what the model is told does not fit; ConfigError if it
  /// must be told something and is not; ValueError if a level is none of the likelihood's.
  double operator()(const Batch& batch) {
    require_batch(batch);
    return choice_.template run<E>(threads_, batch.count(), [&] { return add_gradient(batch); });
  }

  /// The first operation on the way from x to the loss whose output is not finite, with its
  /// position; empty if none. Goes there once more, by the parts of the batch.
  [[nodiscard]] std::string first_non_finite(const Batch& batch) {
    require_batch(batch);
    const Index images = batch.count();
    const Chunks parts = parts_of(images);
    std::string found;
    for (Index i = 0; i < parts.size() && found.empty(); ++i) {
      const Index first = parts.first(i), size = parts.last(i) - first;
      static_cast<void>(loss(whole_, batch.slice(first, size), images));
      found = whole_.first_non_finite();
    }
    return found;
  }

  /// Bytes of activations, saved state and gradients, at most.
  [[nodiscard]] std::size_t peak_bytes() const {
    std::size_t bytes = whole_.peak_bytes() + rooms_.bytes();
    for (const auto& tape : tapes_) bytes += tape->peak_bytes();
    return bytes;
  }

 private:
  using E = ExecutionOf<M>;

  [[nodiscard]] Chunks parts_of(Index images) const {
    return in_parts_ ? Chunks::of(images, 1) : Chunks{images, 1};
  }
  void require_batch(const Batch& batch) const {
    const Index images = batch.count();
    if (images < 1 || (!batch.weights.empty() && std::ssize(batch.weights) != images)) {
      detail::fail<ShapeError>("BatchGradient: levels are ", batch.levels.shape(), " with ",
                               batch.weights.size(),
                               " weights, expected N >= 1 and as many weights or none");
    }
    detail::require_conditions("BatchGradient", batch.told, images);
    detail::require_levels("BatchGradient", model_.likelihood(), batch.levels);
  }

  double add_gradient(const Batch& batch) {
    const Index images = batch.count();
    const Chunks parts = parts_of(images);
    if (parts.size() == 1) return add_gradient(whole_, batch, images);
    const Index workers = E::workers(threads_, parts.size());
    while (std::ssize(tapes_) < workers) {
      tapes_.push_back(std::make_unique<Tape<Scalar>>(TapeOptions{.threads = 1}));
    }
    // Rooms for the gradients of so many parts at a time, each worker having as many.
    const Index turns = (reduction_chunks + workers - 1) / workers;
    const Index round = std::min(parts.size(), turns * workers);
    rooms_.make(round);
    losses_.resize(static_cast<std::size_t>(parts.size()));
    for (Index begin = 0; begin < parts.size(); begin += round) {
      const Index count = std::min(round, parts.size() - begin);
      E::for_each(threads_, count, [&](Index i, Index worker) {
        const typename GradientRooms<Scalar>::Use room(rooms_, i);
        const Index first = parts.first(begin + i), size = parts.last(begin + i) - first;
        losses_[static_cast<std::size_t>(begin + i)] = add_gradient(
            *tapes_[static_cast<std::size_t>(worker)], batch.slice(first, size), images);
      });
      rooms_.template add_up<E>(threads_, count);
    }
    return std::accumulate(losses_.begin(), losses_.end(), 0.0);
  }

  /// Σ of the nats of a part of a batch, by their weights or, without, by the number of images of
  /// the whole batch.
  Variable<Scalar> loss(Tape<Scalar>& tape, const Batch& part, Index images) const {
    tape.reset();
    const FeatureView<Scalar> x =
        tape.allocate(detail::ordered_shape(orientation_of(model_), part.levels.shape()));
    encode(model_, part.levels, x);
    const auto levels = detail::ordered_levels(model_, part.levels, tape.workspace());
    const Variable<Scalar> total =
        sum(image_nats<E>(model_.likelihood(), logits_given(model_, tape.constant(x), part.told),
                          levels, part.weights));
    return part.weights.empty() ? scale(total, Scalar{1} / static_cast<Scalar>(images)) : total;
  }
  double add_gradient(Tape<Scalar>& tape, const Batch& batch, Index images) const {
    const Variable<Scalar> part = loss(tape, batch, images);
    const Scalar value = part.value().data()[0];
    if (std::isfinite(value)) tape.backward(part);
    return static_cast<double>(value);
  }

  const M& model_;
  GradientRooms<Scalar> rooms_;
  bool in_parts_;
  int threads_;
  ThreadChoice choice_;
  Tape<Scalar> whole_;
  std::vector<std::unique_ptr<Tape<Scalar>>> tapes_;  ///< one a worker
  std::vector<double> losses_;                        ///< of the parts
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
