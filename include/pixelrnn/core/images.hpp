// SPDX-License-Identifier: MIT
// Images: what models are trained on and what samplers return; integer levels, channels last.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <pixelrnn/core/conditions.hpp>
#include <pixelrnn/core/tensor.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

namespace detail {
/// Throws ConfigError unless levels are 2 to 65536.
inline void require_level_count(const char* where, int levels) {
  if (levels < 2 || levels > 65536) {
    fail<ConfigError>(where, ": levels is ", levels, ", expected 2 to 65536");
  }
}
}  // namespace detail

/// N images of one size, (N, H, W, C), whose values are whole levels 0 .. levels-1: 2 levels for
/// binary images, 256 for 8-bit ones, up to 65536 for codes or 16 bits. `binarization` says how
/// grey became binary ("none" if it did not): a likelihood means nothing without it. `labels` say
/// what each image shows, if anybody has said; they and `condition_maps` are what models with a
/// condition are told of the images.
class Images {
 public:
  using Level = std::uint16_t;

  Images() = default;
  /// Images of `levels` levels, all 0.
  Images(Index count, ImageShape image, int levels, std::string binarization = "none")
      : Images(Tensor<Level, 4>({count, image.height, image.width, image.channels}), levels,
               std::move(binarization)) {}
  /// Takes the pixels. Throws ConfigError unless 2 <= levels <= 65536, ValueError if one is not
  /// a level.
  Images(Tensor<Level, 4> pixels, int levels, std::string binarization = "none")
      : pixels_(std::move(pixels)), levels_(levels), binarization_(std::move(binarization)) {
    detail::require_level_count("Images", levels);
    const auto bad = std::find_if(pixels_.begin(), pixels_.end(),
                                  [levels](Level v) { return int{v} >= levels; });
    if (bad != pixels_.end()) {
      detail::fail<ValueError>("Images: element ", bad - pixels_.begin(), " is ", int{*bad},
                               ", expected 0 to ", levels - 1, " (levels = ", levels, ")");
    }
  }

  [[nodiscard]] Index count() const { return pixels_.shape().n(); }
  [[nodiscard]] bool empty() const { return count() == 0; }
  [[nodiscard]] ImageShape image_shape() const {
    const Shape<4>& s = pixels_.shape();
    return {s.h(), s.w(), s.c()};
  }
  [[nodiscard]] int levels() const { return levels_; }
  [[nodiscard]] const std::string& binarization() const { return binarization_; }

  /// One number from 0 up an image, or none at all.
  [[nodiscard]] const std::vector<int>& labels() const { return conditions_.labels; }
  /// Sets the labels; an empty list takes them away. Throws ShapeError if they are not as many as
  /// the images, ValueError if one is negative.
  void set_labels(std::vector<int> labels) {
    detail::require_conditions("Images::set_labels", {labels, {}}, count());
    conditions_.labels = std::move(labels);
  }
  /// A vector (N, 1, 1, C) or a map (N, H, W, C) of numbers an image, or none at all.
  [[nodiscard]] FeatureView<const float> condition_maps() const { return conditions_.maps; }
  /// Sets them; an empty map takes them away. Throws ShapeError if they are not as many as the
  /// images, ValueError if a number is not finite.
  void set_condition_maps(FeatureMap<float> maps) {
    detail::require_conditions("Images::set_condition_maps", {{}, maps.view()}, count());
    conditions_.maps = std::move(maps);
  }
  /// Both.
  [[nodiscard]] const Conditions& conditions() const { return conditions_; }
  void set_conditions(Conditions told) {
    detail::require_conditions("Images::set_conditions", told, count());
    conditions_ = std::move(told);
  }

  [[nodiscard]] TensorView<Level, 4> pixels() { return pixels_; }
  [[nodiscard]] TensorView<const Level, 4> pixels() const { return pixels_; }
  /// Image i as (H, W, C); not checked.
  [[nodiscard]] TensorView<Level, 3> operator[](Index i) { return pixels()[i]; }
  [[nodiscard]] TensorView<const Level, 3> operator[](Index i) const { return pixels()[i]; }

  /// Copies of images [first, first + count), with what is told of them. Throws ShapeError if there
  /// are not so many.
  [[nodiscard]] Images slice(Index first, Index count) const {
    Images part(Tensor<Level, 4>(pixels().slice(first, count)), levels_, binarization_);
    const ConditionView told = ConditionView(conditions_).slice(first, count);
    part.conditions_.labels.assign(told.labels.begin(), told.labels.end());
    if (!told.maps.empty()) part.conditions_.maps = FeatureMap<float>(told.maps);
    return part;
  }
  [[nodiscard]] Images first(Index count) const { return slice(0, count); }
  /// Copies of the named images, in that order. Throws ShapeError on an index that is not there.
  [[nodiscard]] Images select(std::span<const Index> indices) const {
    Images chosen(static_cast<Index>(indices.size()), image_shape(), levels_, binarization_);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const TensorView<const Level, 4> source = pixels().slice(indices[i], 1);
      std::copy(source.begin(), source.end(), chosen[static_cast<Index>(i)].begin());
    }
    chosen.conditions_ = pixelrnn::select(conditions_, indices);
    return chosen;
  }

 private:
  Tensor<Level, 4> pixels_;
  int levels_ = 256;
  std::string binarization_ = "none";
  Conditions conditions_;
};

/// All images side by side in one image, `columns` a row, `gap` pixels of the middle level between
/// them; it has no label. Throws ConfigError if columns < 1 or gap < 0.
[[nodiscard]] inline Images grid(const Images& images, Index columns = 8, Index gap = 1) {
  if (columns < 1 || gap < 0) {
    detail::fail<ConfigError>("grid: columns is ", columns, " and gap ", gap,
                              ", expected columns >= 1 and gap >= 0");
  }
  const ImageShape one = images.image_shape();
  const Index across = std::max<Index>(1, std::min(columns, images.count()));
  const Index down = std::max<Index>(1, (images.count() + across - 1) / across);
  const ImageShape whole{down * (one.height + gap) - gap, across * (one.width + gap) - gap,
                         one.channels};
  // Binary images get a grey gap only if grey exists: their grid is shown on 256 levels.
  const int levels = images.levels() == 2 ? 256 : images.levels();
  const int scale = images.levels() == 2 ? 255 : 1;
  Tensor<Images::Level, 4> pixels({1, whole.height, whole.width, whole.channels},
                                  static_cast<Images::Level>(levels / 2));
  for (Index i = 0; i < images.count(); ++i) {
    const Index top = i / across * (one.height + gap);
    const Index left = i % across * (one.width + gap);
    for (Index r = 0; r < one.height; ++r) {
      for (Index c = 0; c < one.width * one.channels; ++c) {
        pixels(0, top + r, left + c / one.channels, c % one.channels) =
            static_cast<Images::Level>(images[i].data()[r * one.width * one.channels + c] * scale);
      }
    }
  }
  return {std::move(pixels), levels, images.binarization()};
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
