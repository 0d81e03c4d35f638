// SPDX-License-Identifier: MIT
// Data sets and the order a trainer reads them in.
#pragma once

#include <concepts>
#include <numeric>
#include <string>
#include <vector>

#include <pixelrnn/core/images.hpp>
#include <pixelrnn/core/random.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Image `image` as it is in epoch `epoch`: for fixed images the same in every epoch.
inline void fetch(const Images& images, Index image, Index /*epoch*/,
                  TensorView<Images::Level, 3> out) {
  const TensorView<const Images::Level, 3> from = images[image];
  std::copy(from.begin(), from.end(), out.begin());
}
template <class D>
requires requires(const D& data, Index i, TensorView<Images::Level, 3> out) {
  data.fetch(i, i, out);
}
void fetch(const D& data, Index image, Index epoch, TensorView<Images::Level, 3> out) {
  data.fetch(image, epoch, out);
}

/// What Trainer::fit reads: Images, DynamicImages, or a user's own, which may have conditions() too
/// (told_of).
template <class D>
concept DataSet = requires(const D& data, Index i, TensorView<Images::Level, 3> out) {
  { data.count() } -> std::same_as<Index>;
  { data.image_shape() } -> std::same_as<ImageShape>;
  { data.levels() } -> std::same_as<int>;
  fetch(data, i, i, out);
};

/// How the images became what they are, without which their likelihood means nothing; empty for a
/// data set of a user's that does not say.
template <DataSet D>
[[nodiscard]] std::string binarization_of(const D& data) {
  if constexpr (requires {
                  { data.binarization() } -> std::convertible_to<std::string>;
                }) {
    return data.binarization();
  } else {
    return {};
  }
}

/// What is told of all images of a data set; nothing if it does not say, by a member conditions().
template <DataSet D>
[[nodiscard]] ConditionView told_of(const D& data) {
  if constexpr (requires { data.conditions(); }) {
    return data.conditions();
  } else {
    return {};
  }
}

/// The order of one epoch: a permutation that depends on (seed, epoch) alone, so that a position
/// in it is all a checkpoint needs.
inline void epoch_order(Index count, std::uint64_t seed, Index epoch, std::vector<Index>& order) {
  order.resize(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), Index{0});
  // Epochs draw from stretches of one stream that cannot meet: a shuffle draws fewer than 2^40.
  Rng rng(seed, static_cast<std::uint64_t>(epoch) << 40);
  rng.shuffle(order);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
