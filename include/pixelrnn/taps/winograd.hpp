// SPDX-License-Identifier: MIT
// Pixel pairs: two neighbouring outputs of a convolution from fewer products than taps.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include <pixelrnn/taps/pieces.hpp>
#include <pixelrnn/taps/taps.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

/// The sums that make a pair: even pixel = even + both + opposite, odd = odd + both - opposite.
enum class PairSum { even, odd, both, opposite };

/// One product of a pair: (x[first] + sign · x[second]) · Σ over t of taps[t] · K[t], where x[0] is
/// what the first tap of a run reads for the even pixel.
struct PairProduct {
  PairSum sum;
  Index first, sign, second;
  std::array<float, 3> taps;
};

/// Winograd's minimal filters F(2, 3) and F(2, 2) (Lavin & Gray 2016, arXiv 1509.09308, sec. 4.1)
/// for runs of up to three taps: 2, 3 and 4 products for what would be 2, 4 and 6. A pixel's sums
/// read what its own taps read and nothing else: what it must not see cannot change a bit of it.
inline constexpr std::array<PairProduct, 2> pair_of_one{{
    {PairSum::even, 0, 0, 0, {1}},
    {PairSum::odd, 1, 0, 0, {1}},
}};
inline constexpr std::array<PairProduct, 3> pair_of_two{{
    {PairSum::even, 0, -1, 1, {1, 0}},
    {PairSum::odd, 2, -1, 1, {0, 1}},
    {PairSum::both, 1, 0, 0, {1, 1}},
}};
/// Two taps of which colours allow a part of one: where its weight is zero the sums above would be
/// right to rounding only, and a pixel would see by their last bit what it must not.
inline constexpr std::array<PairProduct, 4> pair_of_two_in_part{{
    {PairSum::even, 0, 0, 0, {1, 0}},
    {PairSum::even, 1, 0, 0, {0, 1}},
    {PairSum::odd, 1, 0, 0, {1, 0}},
    {PairSum::odd, 2, 0, 0, {0, 1}},
}};
inline constexpr std::array<PairProduct, 4> pair_of_three{{
    {PairSum::even, 0, -1, 2, {1, 0, 0}},
    {PairSum::odd, 3, -1, 1, {0, 0, 1}},
    {PairSum::both, 1, 1, 2, {0.5F, 0.5F, 0.5F}},
    {PairSum::opposite, 2, -1, 1, {0.5F, -0.5F, 0.5F}},
}};
[[nodiscard]] constexpr std::span<const PairProduct> pair_products(const TapRun& run) {
  if (run.count == 1) return pair_of_one;
  if (run.count == 2 && run.in_part) return pair_of_two_in_part;
  if (run.count == 2) return pair_of_two;
  return pair_of_three;
}

/// Calls f(product, run) for all products of a kind of sum.
template <class F>
void for_each_product(const std::vector<TapRun>& taps, PairSum sum, F&& f) {
  for (const TapRun& run : taps) {
    for (const PairProduct& product : pair_products(run)) {
      if (product.sum == sum) f(product, run);
    }
  }
}
[[nodiscard]] inline Index product_count(const std::vector<TapRun>& taps, PairSum sum) {
  Index count = 0;
  for_each_product(taps, sum, [&](const PairProduct&, const TapRun&) { ++count; });
  return count;
}
inline constexpr PairSum pair_sums[]{PairSum::even, PairSum::odd, PairSum::both, PairSum::opposite};

/// Of all sums.
[[nodiscard]] inline Index product_count(const std::vector<TapRun>& taps) {
  Index count = 0;
  for (const PairSum sum : pair_sums) count += product_count(taps, sum);
  return count;
}
/// Whether two pixels take fewer products than taps, and to the bit see what they see by taps:
/// under mask B of 3×3 seven and ten. Of three taps allowed in part there are no such products.
[[nodiscard]] inline bool pairs_save(const std::vector<TapRun>& taps) {
  const auto is_unfit = [](const TapRun& run) { return run.in_part && run.count > 2; };
  return std::none_of(taps.begin(), taps.end(), is_unfit) &&
         product_count(taps) < 2 * tap_count(taps);
}

/// Lines that have so many pixels together, one at least.
[[nodiscard]] constexpr Index lines_in(Index pixels, Index line_pixels) {
  return std::max<Index>(1, pixels / std::max<Index>(1, line_pixels));
}

/// What a product reads of `lines` lines of a frame, for all pairs side by side.
template <class K, class T>
void gather_pairs(const Frame<T>& f, Index line, Index lines, const PairProduct& product,
                  const TapRun& run, T* to) {
  const Index pairs = f.pixels / 2;
  const auto from = [&](Index l, Index x) {
    return kernels::Rows<const T>{f.at(l, run.dy, run.dx + x), 2 * f.channels};
  };
  for (Index l = line; l < line + lines; ++l, to += pairs * f.channels) {
    const kernels::Rows<T> rows{to, f.channels};
    if (product.sign == 0) {
      K::move_rows(pairs, f.channels, from(l, product.first), rows, kernels::Store::Overwrite);
    } else {
      K::add_scaled(pairs, f.channels, from(l, product.first), static_cast<T>(product.sign),
                    from(l, product.second), rows);
    }
  }
}

/// Packs, one below the other, what the products of one sum multiply by, in so many groups of
/// columns; transposed: for taps that are mirrored().
template <class K, class T>
[[nodiscard]] kernels::Packed<const T> pack_pairs(Workspace& workspace,
                                                  const std::vector<TapRun>& taps, PairSum sum,
                                                  TensorView<const T, 4> weights, bool transposed,
                                                  Index groups = 1) {
  const Index in = weights.shape()[2], out = weights.shape()[3];
  const Index rows = transposed ? out : in;
  const auto packed = kernels::allocate_packed<K, T>(workspace, product_count(taps, sum) * rows,
                                                     (transposed ? in : out) / groups, groups);
  const Scratch guard(workspace);
  T* const k = workspace.allocate<T>(in * out);
  const kernels::Rows<T> row{k, in * out};
  Index first = 0;
  for_each_product(taps, sum, [&](const PairProduct& product, const TapRun& run) {
    std::fill_n(k, in * out, T{0});
    for (Index t = 0; t < run.count; ++t) {
      const auto scale = static_cast<T>(product.taps[static_cast<std::size_t>(t)]);
      if (scale == T{0}) continue;
      const Index column = run.column + (transposed ? run.count - 1 - t : t);
      K::add_scaled(1, in * out, row, scale,
                    kernels::Rows<const T>{&weights(run.row, column, 0, 0), 0}, row);
    }
    K::pack(packed, first,
            transposed ? kernels::Strided<T>{k, out, in, 1, out}
                       : kernels::Strided<T>{k, in, out, out, 1});
    first += rows;
  });
  return as_const(packed);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
