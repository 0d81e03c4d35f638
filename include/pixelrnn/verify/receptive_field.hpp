// SPDX-License-Identifier: MIT
// The receptive field of a pixel, as it is in one image.
#pragma once

#include <utility>
#include <vector>

#include <pixelrnn/verify/verify.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// The pixels that the logits of pixel (row, column) see in one random image, (H, W), 1 where they
/// do: by derivative, or because the bits of the logits change when levels are replaced. All levels
/// that have no derivative are replaced at once, and where that changes anything, halves of them,
/// down to single ones. Throws ShapeError if the
/// pixel is not in the image. Cost: one forward pass, recorded and swept, and two without a
/// recording; where levels are seen without a derivative, up to 2·log2(sub-pixels) more for each.
template <Model M>
[[nodiscard]] Tensor<unsigned char, 2> receptive_field(const M& model, Index row, Index column,
                                                       VerifyOptions options = {}) {
  using T = typename M::Scalar;
  const ImageShape image = model.image_shape();
  if (row < 0 || row >= image.height || column < 0 || column >= image.width) {
    detail::fail<ShapeError>("receptive_field: pixel (", row, ", ", column, ") is not in images ",
                             image, ", expected row 0 to ", image.height - 1, " and column 0 to ",
                             image.width - 1);
  }
  Rng rng(options.seed);
  const FeatureMap<T> x = detail::random_input(model, rng);
  Tape<T> tape({.threads = options.threads});
  const Variable<T> in = tape.input(x);
  const Conditions told = detail::told_of(model, 1, options);
  const Variable<T> logits = logits_given(model, in, told);
  const Index outputs = logits.shape().c();
  FeatureMap<T> seed(logits.shape());
  const Orientation::Place at = orientation_of(model).in_order(image, row, column);
  for (Index c = 0; c < outputs; ++c) seed(0, at.row, at.column, c) = T{1};
  tape.backward(logits, seed);
  Tensor<unsigned char, 2> field({image.height, image.width});
  const std::vector<Index> of_order = detail::pixels_of_order(model, image);
  const auto see = [&](Index i) {
    field.data()[of_order[static_cast<std::size_t>(i / image.channels)]] = 1;
  };
  const FeatureView<const T> gradient = tape.gradient(in);
  std::vector<Index> unseen;
  for (Index i = 0; i < gradient.size(); ++i) {
    if (gradient.data()[i] != T{0}) {
      see(i);
    } else {
      unseen.push_back(i);
    }
  }

  detail::Logits<M> logits_of(model, options);
  const auto pixel = [&](const FeatureView<const T>& z) { return &z(0, at.row, at.column, 0); };
  const FeatureMap<T> before(logits_of(x));
  // Groups of levels [first, last) still to be replaced.
  std::vector<std::pair<std::size_t, std::size_t>> groups;
  if (!unseen.empty()) groups.push_back({0, unseen.size()});
  while (!groups.empty()) {
    const auto [first, last] = groups.back();
    groups.pop_back();
    FeatureMap<T> y = x;
    for (std::size_t i = first; i < last; ++i) {
      T& level = y.data()[unseen[i]];
      level = detail::other_input(model, level, rng);
    }
    const T* const z = pixel(before.view());
    if (std::equal(z, z + outputs, pixel(logits_of(y)))) continue;
    if (last - first == 1) {
      see(unseen[first]);
      continue;
    }
    const std::size_t middle = first + (last - first) / 2;
    groups.push_back({first, middle});
    groups.push_back({middle, last});
  }
  return field;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
