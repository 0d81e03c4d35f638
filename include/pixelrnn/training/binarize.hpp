// SPDX-License-Identifier: MIT
// From levels to fewer: three named binarisations, and quantisation. What is told of images stays.
#pragma once

#include <string>
#include <vector>

#include <pixelrnn/core/images.hpp>
#include <pixelrnn/core/random.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// 1 where the level is at least `level`: a fixed set, not comparable with the stochastic ones.
struct Threshold {
  int level = 128;
};
/// Each pixel 1 with probability level / (levels-1), drawn once: a fixed set named by its seed
/// (Salakhutdinov & Murray 2008 did this for MNIST; their draws are a file of their own).
struct Stochastic {
  std::uint64_t seed = 0;
};
/// The same drawn afresh every epoch.
struct Dynamic {
  std::uint64_t seed = 0;
};

namespace detail {

/// keyed_uniform's purpose for binarisation: independent of sampling with the same seed.
inline constexpr std::uint8_t binarization_draws = 1;

inline void require_more_than_binary(const Images& images) {
  if (images.levels() == 2) {
    fail<ConfigError>(
        "binarize: the images have 2 levels already (binarization: ", images.binarization(), ")");
  }
}

/// Draws image `index` of a grey set in a given epoch.
inline void draw_binary(const Images& grey, Index index, std::uint64_t seed, Index epoch,
                        TensorView<Images::Level, 3> out) {
  const TensorView<const Images::Level, 3> levels = grey[index];
  const Index channels = grey.image_shape().channels;
  const std::uint64_t key =
      static_cast<std::uint64_t>(epoch) << 32 ^ static_cast<std::uint64_t>(index);
  for (Index i = 0; i < levels.size(); ++i) {
    const double p = static_cast<double>(levels.data()[i]) / (grey.levels() - 1);
    out.data()[i] =
        keyed_uniform(seed, key, i / channels, i % channels, binarization_draws) < p ? 1 : 0;
  }
}

}  // namespace detail

/// Throws ConfigError if the images are binary already or level is not 1 .. levels-1.
[[nodiscard]] inline Images binarize(const Images& images, Threshold rule) {
  detail::require_more_than_binary(images);
  if (rule.level < 1 || rule.level >= images.levels()) {
    detail::fail<ConfigError>("binarize: Threshold::level is ", rule.level, ", expected 1 to ",
                              images.levels() - 1);
  }
  Images out(images.count(), images.image_shape(), 2,
             "threshold(" + std::to_string(rule.level) + ")");
  std::transform(images.pixels().begin(), images.pixels().end(), out.pixels().begin(),
                 [&](Images::Level v) { return static_cast<Images::Level>(v >= rule.level); });
  out.set_conditions(images.conditions());
  return out;
}

/// Throws ConfigError if the images are binary already.
[[nodiscard]] inline Images binarize(const Images& images, Stochastic rule) {
  detail::require_more_than_binary(images);
  Images out(images.count(), images.image_shape(), 2,
             "stochastic(" + std::to_string(rule.seed) + ")");
  for (Index i = 0; i < images.count(); ++i) {
    detail::draw_binary(images, i, rule.seed, 0, out[i]);
  }
  out.set_conditions(images.conditions());
  return out;
}

/// Grey images that a trainer sees in other binary draws each epoch: a data set for Trainer::fit.
class DynamicImages {
 public:
  /// Throws ConfigError if the images are binary already.
  DynamicImages(Images grey, Dynamic rule) : grey_(std::move(grey)), rule_(rule) {
    detail::require_more_than_binary(grey_);
  }
  [[nodiscard]] Index count() const { return grey_.count(); }
  [[nodiscard]] ImageShape image_shape() const { return grey_.image_shape(); }
  [[nodiscard]] int levels() const { return 2; }
  [[nodiscard]] std::string binarization() const {
    return "dynamic(" + std::to_string(rule_.seed) + ")";
  }
  [[nodiscard]] const std::vector<int>& labels() const { return grey_.labels(); }
  [[nodiscard]] const Conditions& conditions() const { return grey_.conditions(); }
  void fetch(Index image, Index epoch, TensorView<Images::Level, 3> out) const {
    detail::draw_binary(grey_, image, rule_.seed, epoch, out);
  }

 private:
  Images grey_;
  Dynamic rule_;
};
[[nodiscard]] inline DynamicImages binarize(Images images, Dynamic rule) {
  return {std::move(images), rule};
}

/// Images of V levels from images of more: level · V / levels, rounded down. Two levels are those
/// of Threshold{levels / 2}, rounded up, and are named so.
/// Throws ConfigError unless 2 <= V <= levels.
[[nodiscard]] inline Images quantize(const Images& images, int levels) {
  if (levels < 2 || levels > images.levels()) {
    detail::fail<ConfigError>("quantize: levels is ", levels, ", expected 2 to ", images.levels());
  }
  if (levels == 2 && images.levels() > 2) {
    return binarize(images, Threshold{(images.levels() + 1) / 2});
  }
  Images out(images.count(), images.image_shape(), levels, images.binarization());
  std::transform(images.pixels().begin(), images.pixels().end(), out.pixels().begin(),
                 [&](Images::Level v) {
                   return static_cast<Images::Level>(Index{v} * levels / images.levels());
                 });
  out.set_conditions(images.conditions());
  return out;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
