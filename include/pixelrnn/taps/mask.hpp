// SPDX-License-Identifier: MIT
// Masks: which weights of a convolution may be non-zero.
#pragma once

#include <algorithm>
#include <concepts>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <pixelrnn/core/tensor.hpp>
#include <pixelrnn/core/workspace.hpp>
#include <pixelrnn/taps/known.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Says which weights of a kernel may be non-zero; a user's own is any such type:
///   allowed(dy, dx, from, to)   the weight at (dy, dx) pixels from the kernel's centre (dilation
///   is
///                               in them), from colour group `from` of the input to group `to` of
///                               the output, both 0 without colours. Asked once, by constructors.
///   name                        for descriptions and files ("A")
template <class M>
concept MaskPolicy = std::copyable<M> && requires(const M& mask, Index i) {
  { mask.allowed(i, i, i, i) } -> std::same_as<bool>;
  { mask.name } -> std::convertible_to<std::string_view>;
};

/// Mask A, of the first layer only: a pixel does not see itself, only its earlier colours
/// (van den Oord et al. 2016, sec. 3.4 and fig. 2).
struct MaskA {
  static constexpr std::string_view name = "A";
  [[nodiscard]] static constexpr bool allowed(Index dy, Index dx, Index from, Index to) {
    return dy < 0 || (dy == 0 && (dx < 0 || (dx == 0 && from < to)));
  }
};
/// Mask B, of every later layer: a feature sees its own colour group too.
struct MaskB {
  static constexpr std::string_view name = "B";
  [[nodiscard]] static constexpr bool allowed(Index dy, Index dx, Index from, Index to) {
    return dy < 0 || (dy == 0 && (dx < 0 || (dx == 0 && from <= to)));
  }
};
/// The rows above, all their columns and colours: the first layer of a vertical stack (van den Oord
/// et al. 2016b, arXiv 1606.05328, sec. 2.2).
struct MaskAbove {
  static constexpr std::string_view name = "above";
  [[nodiscard]] static constexpr bool allowed(Index dy, Index, Index, Index) { return dy < 0; }
};
/// The rows above and its own, all columns: later layers of a vertical stack, whose input knows
/// nothing but rows above, so that a walk has it a row at a time. Of pixels it has no walk.
struct MaskAboveAndRow {
  static constexpr std::string_view name = "above_and_row";
  [[nodiscard]] static constexpr bool allowed(Index dy, Index, Index, Index) { return dy <= 0; }
};
/// Everything: for maps that are known as a whole, as a condition is; and the 1×1 kernel of what
/// has no colours. A walk has it for kernels that read no later pixel.
struct NoMask {
  static constexpr std::string_view name = "none";
  [[nodiscard]] static constexpr bool allowed(Index, Index, Index, Index) { return true; }
};

/// Any of them as a value, so that masks may differ from layer to layer of one type.
class Mask {
 public:
  template <class M>
  requires(!std::same_as<M, Mask>) && MaskPolicy<M> Mask(M mask)
      : name(std::string_view(mask.name)),
  allowed_([mask](Index dy, Index dx, Index from, Index to) {
    return mask.allowed(dy, dx, from, to);
  }) {}

  [[nodiscard]] bool allowed(Index dy, Index dx, Index from, Index to) const {
    return allowed_(dy, dx, from, to);
  }
  std::string name;

 private:
  std::function<bool(Index, Index, Index, Index)> allowed_;
};

/// Colour group of channel c of n: contiguous parts, as even as they come, for any n (sec. 3.4
/// of the paper splits features "into three parts"). With one colour everything is group 0.
[[nodiscard]] constexpr Index colour_group(Index c, Index n, Index colours) {
  return colours * c / n;
}
/// The first channel of group g of n channels; n for g = colours.
[[nodiscard]] constexpr Index first_of_group(Index g, Index n, Index colours) {
  return (g * n + colours - 1) / colours;
}

/// A colour group of outputs, or all of them: what a step of a walk is asked for. A group knows its
/// own pixel's channels as far as its colour's turn, so that one step after the other, each of its
/// own group, computes all of a pixel.
struct ColourGroup {
  Index group = 0, colours = 1;

  [[nodiscard]] constexpr Index first(Index channels) const {
    return first_of_group(group, channels, colours);
  }
  [[nodiscard]] constexpr Index count(Index channels) const {
    return first_of_group(group + 1, channels, colours) - first(channels);
  }
  [[nodiscard]] constexpr bool is_all() const { return colours == 1; }
};
namespace detail {
/// Calls f for those of a walk's groups that a step asks for: one, if there is one a colour, or
/// all.
template <class Group, class F>
void for_each_asked(const std::vector<Group>& groups, const ColourGroup& asked, F&& f) {
  const bool is_one = !asked.is_all() && std::ssize(groups) == asked.colours;
  if (is_one) return f(groups[static_cast<std::size_t>(asked.group)]);
  for (const Group& group : groups) f(group);
}
}  // namespace detail

/// A mask on a kernel of rows × columns taps: what it allows, as a table.
class KernelMask {
 public:
  KernelMask(const Mask& mask, Index rows, Index columns, Index dilation, Index colours)
      : name_(mask.name), rows_(rows), columns_(columns), dilation_(dilation), colours_(colours) {
    for (Index y = 0; y < rows; ++y) {
      for (Index x = 0; x < columns; ++x) {
        for (Index pair = 0; pair < colours * colours; ++pair) {
          allowed_.push_back(mask.allowed(dy(y), dx(x), pair / colours, pair % colours));
        }
        has_parts_ = has_parts_ || (any(y, x) && !all(y, x));
      }
    }
  }

  /// Of the mask.
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Index rows() const { return rows_; }
  [[nodiscard]] Index columns() const { return columns_; }
  [[nodiscard]] Index dilation() const { return dilation_; }
  [[nodiscard]] Index colours() const { return colours_; }
  /// Where kernel row y and column x read, from the pixel.
  [[nodiscard]] Index dy(Index y) const { return (y - rows_ / 2) * dilation_; }
  [[nodiscard]] Index dx(Index x) const { return (x - columns_ / 2) * dilation_; }
  /// Of kernel row y and column x.
  [[nodiscard]] bool allowed(Index y, Index x, Index from, Index to) const {
    return allowed_[at(y, x) + static_cast<std::size_t>(from * colours_ + to)] != 0;
  }
  /// For some colours, and for all of them.
  [[nodiscard]] bool any(Index y, Index x) const {
    return std::any_of(tap(y, x), tap(y, x) + colours_ * colours_, is_set);
  }
  [[nodiscard]] bool all(Index y, Index x) const {
    return std::all_of(tap(y, x), tap(y, x) + colours_ * colours_, is_set);
  }

  /// The mask as a rule for weights of shape [rows][columns][C_in][gates · units]:
  /// rule(y, x, in, out). Colour groups of the outputs are taken inside each gate: grouping
  /// all 4·h gate maps at once would let every unit see every colour (the classic leak).
  [[nodiscard]] auto rule(const Shape<4>& s, Index gates = 1) const {
    return [mask = *this, in = s[2], units = s[3] / gates](Index y, Index x, Index i, Index o) {
      return mask.allowed(y, x, colour_group(i, in, mask.colours_),
                          colour_group(o % units, units, mask.colours_));
    };
  }
  /// Zeroes what the mask forbids of such weights, or of their gradient.
  template <class T>
  void apply(TensorView<T, 4> weights, Index gates = 1) const {
    const Shape<4>& s = weights.shape();
    const Index units = s[3] / gates;
    for (Index y = 0; y < rows_; ++y) {
      for (Index x = 0; x < columns_; ++x) {
        if (all(y, x)) continue;
        for (Index i = 0; i < s[2]; ++i) {
          const Index from = colour_group(i, s[2], colours_);
          for (Index to = 0; to < colours_; ++to) {
            if (allowed(y, x, from, to)) continue;
            const Index first = first_of_group(to, units, colours_);
            const Index count = first_of_group(to + 1, units, colours_) - first;
            for (Index gate = 0; gate < gates; ++gate) {
              if (count > 0) std::fill_n(&weights(y, x, i, gate * units + first), count, T{0});
            }
          }
        }
      }
    }
  }
  /// The weights as sums may see them: what the mask forbids is zero even if somebody wrote to it.
  /// Where no tap is allowed in part that is left to the packing, which takes allowed taps only.
  template <class T>
  [[nodiscard]] TensorView<const T, 4> masked(TensorView<const T, 4> weights, Index gates,
                                              Workspace& workspace) const {
    if (!has_parts_) return weights;
    const TensorView<T, 4> copy = workspace.allocate<T>(weights.shape());
    std::copy(weights.begin(), weights.end(), copy.begin());
    apply(copy, gates);
    return copy;
  }
  /// What the output of a pixel knows of the input there.
  [[nodiscard]] OwnPixel own_pixel() const {
    OwnPixel own = OwnPixel::nothing;
    for (Index from = 0; from < colours_; ++from) {
      for (Index to = 0; to < colours_; ++to) {
        if (!allowed(rows_ / 2, columns_ / 2, from, to)) continue;
        own = std::max(own, from < to    ? OwnPixel::earlier_colours
                            : from == to ? OwnPixel::own_colour
                                         : OwnPixel::every_colour);
      }
    }
    return own;
  }
  /// Whether some tap is allowed for some colours only: then gradients that were summed over all
  /// weights have to be masked.
  [[nodiscard]] bool has_parts() const { return has_parts_; }

 private:
  static bool is_set(unsigned char allowed) { return allowed != 0; }
  [[nodiscard]] std::size_t at(Index y, Index x) const {
    return static_cast<std::size_t>((y * columns_ + x) * colours_ * colours_);
  }
  [[nodiscard]] const unsigned char* tap(Index y, Index x) const { return &allowed_[at(y, x)]; }

  std::string name_;
  Index rows_, columns_, dilation_, colours_;
  std::vector<unsigned char> allowed_;  ///< [rows][columns][from][to]
  bool has_parts_ = false;
};

static_assert(!MaskA::allowed(0, 0, 0, 0) && MaskA::allowed(0, 0, 0, 1));
static_assert(MaskB::allowed(0, 0, 0, 0) && !MaskB::allowed(0, 0, 2, 1));
static_assert(MaskA::allowed(-1, 3, 2, 0) && !MaskB::allowed(0, 1, 0, 2));
static_assert(MaskPolicy<MaskA> && MaskPolicy<MaskB> && MaskPolicy<MaskAbove> &&
              MaskPolicy<MaskAboveAndRow> && MaskPolicy<NoMask> && MaskPolicy<Mask>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
