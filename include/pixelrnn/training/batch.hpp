// SPDX-License-Identifier: MIT
// Batch: images as one step of training sees them.
#pragma once

#include <span>

#include <pixelrnn/core/conditions.hpp>
#include <pixelrnn/core/dropout.hpp>
#include <pixelrnn/core/images.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Images of one step, what is told of them, and what each of them weighs in the loss
/// Σ weight · nats: of either sign, as in REINFORCE; none: 1 / N each, the mean. Views. With
/// `dropout` what the net leaves out in this step.
struct Batch {
  TensorView<const Images::Level, 4> levels{};  ///< (N, H, W, C)
  ConditionView told{};
  std::span<const double> weights{};
  StepDropout dropout{};

  Batch() = default;
  Batch(TensorView<const Images::Level, 4> of, ConditionView condition = {},
        std::span<const double> each_weighs = {})
      : levels(of), told(condition), weights(each_weighs) {}
  /// All of them, and what is told of them; they must outlive this.
  Batch(const Images& images, std::span<const double> each_weighs = {})
      : Batch(images.pixels(), images.conditions(), each_weighs) {}

  [[nodiscard]] Index count() const { return levels.shape().n(); }
  /// Images [first, first + count). Throws ShapeError if there are not so many.
  [[nodiscard]] Batch slice(Index first, Index count) const {
    Batch part(levels.slice(first, count), told.slice(first, count));
    if (!weights.empty()) {
      part.weights =
          weights.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    }
    part.dropout = dropout;
    part.dropout.image += static_cast<std::uint32_t>(first);
    return part;
  }
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
