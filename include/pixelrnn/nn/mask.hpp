// SPDX-License-Identifier: MIT
// Causal masks: which weights of a convolution may be non-zero.
#pragma once

#include <concepts>

#include <pixelrnn/core/tensor.hpp>
#include <pixelrnn/core/workspace.hpp>

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

/// Any of them as a value: what a mask is to code that need not be compiled for each.
struct Mask {
  template <CausalMask M>
  constexpr Mask(M) : sees_self(M::sees_self) {}
  bool sees_self;
};

/// Colour group of channel c of n: contiguous parts, as even as they come, for any n (sec. 3.4 of
/// the paper splits features "into three parts"). With one colour everything is group 0.
[[nodiscard]] constexpr Index colour_group(Index c, Index n, Index colours) {
  return colours * c / n;
}

/// May the weight at (dy, dx) from the kernel's centre, from colour group `from` to group `to`, be
/// non-zero? (van den Oord et al. 2016, sec. 3.4 and fig. 2)
[[nodiscard]] constexpr bool is_allowed(Mask mask, Index dy, Index dx, Index from, Index to) {
  if (dy != 0) return dy < 0;
  if (dx != 0) return dx < 0;
  return mask.sees_self ? from <= to : from < to;
}

/// The mask as a rule for weights of shape [kernel height][kernel width][C_in][gates · units]:
/// rule(y, x, in, out). Colour groups of the outputs are taken inside each gate: grouping all 4·h
/// gate maps at once would let every unit see every colour (the classic leak).
[[nodiscard]] constexpr auto mask_rule(Mask mask, const Shape<4>& s, Index colours,
                                       Index gates = 1) {
  return [mask, colours, rows = s[0], columns = s[1], in = s[2], units = s[3] / gates](
             Index y, Index x, Index i, Index o) {
    return is_allowed(mask, y - rows / 2, x - columns / 2, colour_group(i, in, colours),
                      colour_group(o % units, units, colours));
  };
}

/// Zeroes what the mask forbids of such weights, or of their gradient.
template <class T>
void apply_mask(Mask mask, TensorView<T, 4> weights, Index colours, Index gates = 1) {
  const Shape<4>& s = weights.shape();
  const auto is_allowed_at = mask_rule(mask, s, colours, gates);
  for (Index y = 0; y < s[0]; ++y) {
    for (Index x = 0; x < s[1]; ++x) {
      for (Index i = 0; i < s[2]; ++i) {
        for (Index o = 0; o < s[3]; ++o) {
          if (!is_allowed_at(y, x, i, o)) weights(y, x, i, o) = T{0};
        }
      }
    }
  }
}

/// The weights as sums may see them: what the mask forbids is zero even if somebody wrote to it.
/// With one colour that is left to the packing, which takes allowed taps only.
template <class T>
[[nodiscard]] TensorView<const T, 4> masked(Mask mask, TensorView<const T, 4> weights,
                                            Index colours, Index gates, Workspace& workspace) {
  if (colours == 1) return weights;
  const TensorView<T, 4> copy = workspace.allocate<T>(weights.shape());
  std::copy(weights.begin(), weights.end(), copy.begin());
  apply_mask(mask, copy, colours, gates);
  return copy;
}

static_assert(!is_allowed(MaskA{}, 0, 0, 0, 0) && is_allowed(MaskA{}, 0, 0, 0, 1));
static_assert(is_allowed(MaskB{}, 0, 0, 0, 0) && !is_allowed(MaskB{}, 0, 0, 2, 1));
static_assert(is_allowed(MaskA{}, -1, 3, 2, 0) && !is_allowed(MaskB{}, 0, 1, 0, 2));

}  // namespace pixelrnn::inline PIXELRNN_ABI
