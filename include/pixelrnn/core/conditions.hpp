// SPDX-License-Identifier: MIT
// Conditions: what a model is told of images beside their pixels.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include <pixelrnn/core/tensor.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// What is told of some images, one of each for every image: labels, and vectors (N, 1, 1, C) or
/// maps (N, H, W, C) of numbers. Views: whoever owns them must outlive their use. Empty: nothing.
struct ConditionView {
  std::span<const int> labels{};
  FeatureView<const float> maps{};

  /// Those of images [first, first + count); not checked.
  [[nodiscard]] ConditionView slice(Index first, Index count) const {
    ConditionView part;
    if (!labels.empty()) {
      part.labels =
          labels.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    }
    if (!maps.empty()) part.maps = maps.slice(first, count);
    return part;
  }
};

/// The same, owned.
struct Conditions {
  std::vector<int> labels{};
  FeatureMap<float> maps{};

  operator ConditionView() const { return {labels, maps.view()}; }
};

namespace detail {
/// Makes room for what is told of so many images, and for nothing else, if that has changed.
inline void make_room(Conditions& to, const ConditionView& like, Index images) {
  const Shape<4> s = like.maps.shape(), maps{images, s.h(), s.w(), s.c()};
  to.labels.resize(like.labels.empty() ? 0 : static_cast<std::size_t>(images));
  if (like.maps.empty()) {
    to.maps = {};
  } else if (to.maps.shape() != maps) {
    to.maps = FeatureMap<float>(maps);
  }
}
/// What is told of image `from`, as what is told of image `i`; there must be room.
inline void copy_told(const ConditionView& told, Index from, Conditions& to, Index i) {
  if (!told.labels.empty()) {
    to.labels[static_cast<std::size_t>(i)] = told.labels[static_cast<std::size_t>(from)];
  }
  if (told.maps.empty()) return;
  std::copy(told.maps[from].begin(), told.maps[from].end(), to.maps.view()[i].begin());
}
}  // namespace detail

/// Copies of what is told of the named images, in that order; not checked.
[[nodiscard]] inline Conditions select(const ConditionView& told, std::span<const Index> indices) {
  Conditions chosen;
  detail::make_room(chosen, told, std::ssize(indices));
  for (std::size_t i = 0; i < indices.size(); ++i) {
    detail::copy_told(told, indices[i], chosen, static_cast<Index>(i));
  }
  return chosen;
}
/// What is told of one image, told of each of `count`.
[[nodiscard]] inline Conditions repeated(const ConditionView& one, Index count) {
  const std::vector<Index> first(static_cast<std::size_t>(count), 0);
  return select(one, first);
}

namespace detail {
/// Throws ShapeError unless there are as many labels or maps as images (or none), ValueError if a
/// label is negative or a number of a map is not finite.
inline void require_conditions(const char* where, const ConditionView& told, Index images) {
  if (!told.labels.empty() && std::ssize(told.labels) != images) {
    fail<ShapeError>(where, ": there are ", told.labels.size(), " labels, expected ", images,
                     ", one an image (or none)");
  }
  const auto bad =
      std::find_if(told.labels.begin(), told.labels.end(), [](int label) { return label < 0; });
  if (bad != told.labels.end()) {
    fail<ValueError>(where, ": label ", bad - told.labels.begin(), " is ", *bad,
                     ", expected 0 or more");
  }
  if (told.maps.empty()) return;
  if (told.maps.shape().n() != images) {
    fail<ShapeError>(where, ": the maps are ", told.maps.shape(), ", expected N=", images,
                     ", one an image (or none)");
  }
  const auto number =
      std::find_if(told.maps.begin(), told.maps.end(), [](float v) { return !std::isfinite(v); });
  if (number != told.maps.end()) {
    fail<ValueError>(where, ": element ", number - told.maps.begin(), " of the maps is ", *number,
                     ", expected finite numbers");
  }
}
/// What is told of so many images: one label or map told of all of them, or one of each. Throws as
/// require_conditions does.
[[nodiscard]] inline Conditions one_each(const char* where, Conditions told, Index images) {
  if (told.labels.size() == 1) told.labels = repeated({told.labels, {}}, images).labels;
  if (!told.maps.empty() && told.maps.shape().n() == 1) {
    told.maps = repeated({{}, told.maps.view()}, images).maps;
  }
  require_conditions(where, told, images);
  return told;
}
}  // namespace detail

}  // namespace pixelrnn::inline PIXELRNN_ABI
