// SPDX-License-Identifier: MIT
// Causal masks: which weights of a convolution may be non-zero.
#pragma once

#include <concepts>

#include <pixelrnn/core/shape.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Mask A, of the first layer only: a pixel does not see itself, only its earlier colours.
struct MaskA {
  static constexpr bool sees_self = false;
};
/// Mask B, of every later layer: a feature sees its own colour group too.
struct MaskB {
  static constexpr bool sees_self = true;
};

template <class M>
concept CausalMask = requires {
  { M::sees_self } -> std::convertible_to<bool>;
};

/// Colour group of channel c of n: contiguous parts, as even as they come, for any n (sec. 3.4 of
/// the paper splits features "into three parts"). With one colour everything is group 0.
[[nodiscard]] constexpr Index colour_group(Index c, Index n, Index colours) {
  return colours * c / n;
}

/// May the weight at (dy, dx) from the kernel's centre, from colour group `from` to group `to`, be
/// non-zero? (van den Oord et al. 2016, sec. 3.4 and fig. 2)
template <CausalMask M>
[[nodiscard]] constexpr bool is_allowed(Index dy, Index dx, Index from, Index to) {
  if (dy != 0) return dy < 0;
  if (dx != 0) return dx < 0;
  return M::sees_self ? from <= to : from < to;
}

static_assert(!is_allowed<MaskA>(0, 0, 0, 0) && is_allowed<MaskA>(0, 0, 0, 1));
static_assert(is_allowed<MaskB>(0, 0, 0, 0) && !is_allowed<MaskB>(0, 0, 2, 1));
static_assert(is_allowed<MaskA>(-1, 3, 2, 0) && !is_allowed<MaskB>(0, 1, 0, 2));

}  // namespace pixelrnn::inline PIXELRNN_ABI
