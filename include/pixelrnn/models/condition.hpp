// SPDX-License-Identifier: MIT
// Condition: what a model is told of each image, and how its layers come to know it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <pixelrnn/core/conditions.hpp>
#include <pixelrnn/core/orientation.hpp>
#include <pixelrnn/nn/convolution/masked_conv2d.hpp>
#include <pixelrnn/nn/embedding.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// What a model is told of each image. {.classes = 10}: a label, 0 to 9 (Images::set_labels), whose
/// row of a learned table its layers are given. {.channels = 3}: three numbers for all of the image
/// or for each pixel (Images::set_condition_maps). Neither: nothing. {.channels = 3, .features =
/// 16}: maps go through two unmasked 3×3 convolutions, ReLU between them, and layers are given what
/// comes out, as from the conditional network of the paper's sec. 3.6.
struct Condition {
  Index classes = 0;   ///< kinds of label: 0, or 2 to 65536
  Index channels = 0;  ///< numbers that layers are given; with classes 0 is 16
  Index features = 0;  ///< numbers that they are given in place of the maps' own; 0: those

  /// Numbers that layers are given: their Config::condition_channels.
  [[nodiscard]] constexpr Index width() const {
    if (features > 0) return features;
    return classes > 0 && channels == 0 ? 16 : channels;
  }
};

namespace detail {

/// Throws ConfigError if the numbers are not what Condition says.
[[nodiscard]] inline const Condition& checked(const Condition& c) {
  const bool maps_only = c.features == 0 || (c.classes == 0 && c.channels > 0);
  if (c.channels < 0 || c.classes < 0 || c.classes == 1 || c.classes > 65536 || c.features < 0 ||
      !maps_only) {
    fail<ConfigError>("model: Config::condition is {classes=", c.classes, ", channels=", c.channels,
                      ", features=", c.features,
                      "}, expected 0 (no labels) or 2 to 65536 classes, ",
                      "0 or more channels, and features of channels without classes only");
  }
  return c;
}

/// Turns what is told of images into the condition of a tape. Holds the table of labels, or the
/// network of maps.
template <class B>
class ConditionInput {
 public:
  using T = typename B::Scalar;

  /// Told nothing.
  ConditionInput() = default;
  /// Throws ConfigError if the numbers of `condition` are not what it says.
  ConditionInput(Condition condition, Rng& rng) : condition_(checked(condition)) {
    if (condition.features > 0) {
      const auto conv = [&](Index in, bool relu) {
        return Conv({.in_channels = in,
                     .out_channels = condition.features,
                     .kernel_height = 3,
                     .kernel_width = 3,
                     .relu_input = relu},
                    rng);
      };
      network_.push_back(conv(condition.channels, false));
      network_.push_back(conv(condition.features, true));
    }
    if (condition.classes == 0) return;
    table_.emplace(EmbeddingConfig{.channels = 1,
                                   .levels = static_cast<int>(condition.classes),
                                   .dimension = condition.width()},
                   rng);
  }

  [[nodiscard]] const Condition& condition() const { return condition_; }
  [[nodiscard]] bool exists() const { return condition_.width() > 0; }
  void for_each_parameter(auto&& visit) {
    if (table_) visit("labels", *table_);
    for (std::size_t l = 0; l < network_.size(); ++l)
      visit("maps" + std::to_string(l), network_[l]);
  }
  /// "10 classes in 16 channels", "3 channels", "3 channels through 16 features": as model files
  /// say it.
  [[nodiscard]] std::string describe() const {
    if (!network_.empty()) {
      return std::to_string(condition_.channels) + " channels through " +
             std::to_string(condition_.features) + " features";
    }
    const std::string width = std::to_string(condition_.width()) + " channels";
    return table_ ? std::to_string(condition_.classes) + " classes in " + width : width;
  }

  /// Gives a tape the condition of so many images, maps in a model's order. Throws ConfigError if
  /// nothing is told of them, ShapeError if it does not fit, ValueError on a label that is none of
  /// the classes.
  void set(Tape<T>& tape, const ConditionView& told, Index images,
           const Orientation& orientation) const {
    if (!exists()) return;
    if (table_) {
      require_told(std::ssize(told.labels), images, "labels; see Images::set_labels");
      const FeatureView<T> labels = tape.allocate({images, 1, 1, 1});
      for (Index n = 0; n < images; ++n) {
        const int label = told.labels[static_cast<std::size_t>(n)];
        if (label < 0 || label >= condition_.classes) {
          fail<ValueError>("model: label ", n, " is ", label, ", expected 0 to ",
                           condition_.classes - 1, "; the number of classes is ",
                           "Config::condition.classes");
        }
        labels.data()[n] = static_cast<T>(label);
      }
      return tape.set_condition(table_->forward(tape.constant(labels)));
    }
    require_told(told.maps.empty() ? 0 : told.maps.shape().n(), images,
                 "vectors or maps; see Images::set_condition_maps");
    if (told.maps.shape().c() != condition_.channels) {
      fail<ShapeError>("model: the maps that images come with are ", told.maps.shape(),
                       ", expected (N, H, W, C=", condition_.channels,
                       "); C is Config::condition.channels");
    }
    if constexpr (std::same_as<T, float>) {
      if (orientation.is_raster()) return set_maps(tape, tape.constant(told.maps));
    }
    const Shape<4> s = told.maps.shape();
    const ImageShape size{s.h(), s.w(), s.c()}, ordered = orientation.ordered(size);
    const FeatureView<T> maps =
        tape.allocate({s.n(), ordered.height, ordered.width, ordered.channels});
    for (Index n = 0; n < s.n(); ++n) {
      const Index image = n * s.h() * s.w() * s.c();
      for_each_ordered_pixel(orientation, size, [&](Index to, Index from) {
        std::copy_n(told.maps.data() + image + from * s.c(), s.c(),
                    maps.data() + image + to * s.c());
      });
    }
    set_maps(tape, tape.constant(maps));
  }
  /// What might be told of some images: labels by turns, or vectors of numbers from 0 to 1.
  [[nodiscard]] Conditions example(Index images) const {
    Conditions told;
    if (!exists()) return told;
    if (!table_) told.maps = FeatureMap<float>({images, 1, 1, condition_.channels});
    for (Index n = 0; n < images; ++n) {
      if (table_) {
        told.labels.push_back(static_cast<int>((condition_.classes / 2 + n) % condition_.classes));
        continue;
      }
      for (Index c = 0; c < condition_.channels; ++c) {
        told.maps(n, 0, 0, c) = static_cast<float>((c + 1) * (n + 1) % 8) / 8;
      }
    }
    return told;
  }

 private:
  using Conv = MaskedConv2d<NoMask, B>;

  void set_maps(Tape<T>& tape, Variable<T> maps) const {
    for (const Conv& layer : network_) maps = layer.forward(maps);
    tape.set_condition(maps);
  }
  void require_told(Index count, Index images, const char* of_what) const {
    if (count == 0 && images > 0) {
      fail<ConfigError>("model: its condition is ", describe(), ", but its images come without ",
                        of_what);
    }
    if (count != images) {
      fail<ShapeError>("model: ", images, " images come with ", count, ' ', of_what);
    }
  }

  Condition condition_{};
  std::optional<Embedding<B>> table_;
  std::vector<Conv> network_;
};

}  // namespace detail
}  // namespace pixelrnn::inline PIXELRNN_ABI
