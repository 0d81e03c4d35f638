// SPDX-License-Identifier: MIT
// Reach: how far a layer or net sees.
#pragma once

#include <algorithm>
#include <limits>

#include <pixelrnn/nn/layer.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// How far from a pixel a layer or net reads: rows above it, and columns on either side of it in
/// its own row or those. `everywhere`: without a bound, as recurrences do.
struct Reach {
  static constexpr Index everywhere = std::numeric_limits<Index>::max();
  Index above = 0, left = 0, right = 0;

  [[nodiscard]] friend constexpr bool operator==(const Reach&, const Reach&) = default;
  /// Of one after the other.
  [[nodiscard]] constexpr Reach then(const Reach& next) const {
    const auto sum = [](Index a, Index b) {
      return a == everywhere || b == everywhere ? everywhere : a + b;
    };
    return {sum(above, next.above), sum(left, next.left), sum(right, next.right)};
  }
  /// Of both.
  [[nodiscard]] constexpr Reach with(const Reach& other) const {
    return {std::max(above, other.above), std::max(left, other.left), std::max(right, other.right)};
  }
};

/// By the layer's member Reach reach() const; of one that does not say it, and is not pointwise,
/// everything.
template <Layer L>
[[nodiscard]] Reach reach_of(const L& layer) {
  if constexpr (requires {
                  { layer.reach() } -> std::same_as<Reach>;
                }) {
    return layer.reach();
  } else if constexpr (PointwiseLayer<L>) {
    return {};
  } else {
    return {Reach::everywhere, Reach::everywhere, Reach::everywhere};
  }
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
