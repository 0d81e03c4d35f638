// SPDX-License-Identifier: MIT
// MultiScale: a small image first, then a large one that is told it.
#pragma once

#include <utility>

#include <pixelrnn/models/scales.hpp>
#include <pixelrnn/sampling/sample.hpp>
#include <pixelrnn/training/evaluate.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Multi-scale PixelRNN (van den Oord et al. 2016, sec. 3.6): a model of small images, and a model
/// of large ones that is told the small one, enlarged to its own size, in every layer:
///   Condition{.channels = C, .features = F}   of the large model: the paper's upsampling network,
///                                             then its 1×1 maps to each input-to-state
/// The small image is every factor-th pixel of the large one. The two have no weights in common, so
/// that training them jointly is training each: small_set() and large_set() are what they train on.
///   MultiScale scales(small, large, 4);
///   Trainer(scales.small, Adam()).fit(scales.small_set(images), ...);
///   Trainer(scales.large, Adam()).fit(scales.large_set(images), ...);
///   sample(scales, 16, {.seed = 7}); evaluate(scales, test_set);
/// A likelihood is -ln p(small) - ln p(large | small), as the paper's. `Small` may be a MultiScale.
/// Throws ConfigError unless factor >= 1 and the large model is told as many channels as images
/// have, ShapeError unless it is factor times as large.
template <class Small, ConditionalModel Large>
struct MultiScale {
  MultiScale(Small small_model, Large large_model, Index times)
      : small(std::move(small_model)), large(std::move(large_model)), factor(times) {
    const ImageShape s = small.image_shape(), l = large.image_shape();
    if (factor < 1 || large.condition().classes > 0 || large.condition().channels != l.channels) {
      detail::fail<ConfigError>("MultiScale: factor is ", factor, ", the large model is told ",
                                large.condition().channels, " channels, expected 1 or more and ",
                                "Config::condition = {.channels = ", l.channels, "}");
    }
    if (l != ImageShape{s.height * factor, s.width * factor, s.channels}) {
      detail::fail<ShapeError>("MultiScale: the models are of images ", s, " and ", l,
                               ", expected ", factor, " times the height and width, and as many ",
                               "channels");
    }
  }

  [[nodiscard]] ImageShape image_shape() const { return large.image_shape(); }
  /// What the small model is trained on.
  [[nodiscard]] Images small_set(const Images& images) const { return subsampled(images, factor); }
  /// The images, with what the large model is told of each.
  [[nodiscard]] Images large_set(Images images) const {
    images.set_condition_maps(enlarged(subsampled(images, factor), factor));
    return images;
  }

  Small small;
  Large large;
  Index factor;
};

namespace detail {
/// Another seed for the larger image, whose draws must know nothing of the smaller one's.
[[nodiscard]] inline std::uint64_t seed_of_scale(std::uint64_t seed) {
  return Rng(seed).below(std::uint64_t{1} << 63);
}
/// How smaller images are sampled where larger ones are to have the size of these options.
[[nodiscard]] inline SampleOptions smaller(SampleOptions options, Index factor) {
  if (options.height % factor != 0 || options.width % factor != 0) {
    fail<ConfigError>("sample: SampleOptions::height and width are ", options.height, " and ",
                      options.width, ", expected multiples of ", factor,
                      ", by which the images of the smaller scale are smaller");
  }
  options.height /= factor;
  options.width /= factor;
  return options;
}
/// How larger images are sampled given smaller ones, which were sampled by these options.
[[nodiscard]] inline SampleOptions told(const Images& small, Index factor, SampleOptions options) {
  options.seed = seed_of_scale(options.seed);
  options.conditions = {.maps = enlarged(small, factor)};
  return options;
}
/// Adds what other nats of the same images are: -ln of a product.
inline void add_nats(Evaluation& sum, const Evaluation& more) {
  for (std::size_t n = 0; n < sum.image_nats.size(); ++n) {
    sum.image_nats[n].value += more.image_nats[n].value;
  }
}
}  // namespace detail

/// Small images, then large ones given them. Image i is a pure function of (models, seed, first +
/// i, rule). Throws as sample(model, ...) does, and ConfigError unless a height and width that are
/// asked for are multiples of the factor.
template <class Small, class Large, SamplingRule Rule = Multinomial>
[[nodiscard]] Images sample(const MultiScale<Small, Large>& scales, Index count,
                            const SampleOptions& options = {}, Rule rule = {}) {
  const Images small = sample(scales.small, count, detail::smaller(options, scales.factor), rule);
  return sample(scales.large, count, detail::told(small, scales.factor, options), rule);
}

/// -ln p(small) - ln p(large | small) of each image. Throws as evaluate(model, ...) does.
template <class Small, class Large>
[[nodiscard]] Evaluation evaluate(const MultiScale<Small, Large>& scales, const Images& images,
                                  const EvaluateOptions& options = {}) {
  const Evaluation small = evaluate(scales.small, scales.small_set(images), options);
  Evaluation sum = evaluate(scales.large, scales.large_set(images), options);
  detail::add_nats(sum, small);
  return sum;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
