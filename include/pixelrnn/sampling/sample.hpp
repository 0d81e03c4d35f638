// SPDX-License-Identifier: MIT
// sample and complete: new images, and the unknown part of given ones.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include <pixelrnn/sampling/sampler.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Images that were drawn, and ln p of what was drawn of each: under the model itself, whatever the
/// rule, and given what was kept.
struct Sampled {
  Images images;
  std::vector<double> log_p;
};

namespace detail {

template <Model M, KeepPolicy Keep, SamplingRule Rule, class Sampler>
[[nodiscard]] Images complete(const M& model, Images known, const Keep& keep,
                              const SampleOptions& options, const Rule& rule,
                              std::span<double> log_p, Sampler) {
  require_images("complete", model, known);
  require_threads(options.threads, "complete");
  if (options.batch < 1) {
    fail<ConfigError>("complete: batch is ", options.batch, ", expected 1 or more");
  }
  require_numbers(options, known.count());
  const ImageShape image = known.image_shape();
  (keep.check)(image);
  (rule.check)();
  // Unknown pixels start from level 0, so that what was there cannot matter.
  for (Index n = 0; n < known.count(); ++n) {
    for (Index row = 0; row < image.height; ++row) {
      for (Index column = 0; column < image.width; ++column) {
        if (keep.keeps(row, column)) continue;
        for (Index c = 0; c < image.channels; ++c) known[n](row, column, c) = 0;
      }
    }
  }
  if (!known.empty()) Sampler::fill(model, known, keep, rule, options, log_p);
  return known;
}

/// `count` images to be drawn, with what is told of them.
template <Model M>
[[nodiscard]] Images canvas(const M& model, Index count, const SampleOptions& options) {
  ImageShape image = model.image_shape();
  if (options.height < 0 || options.width < 0) {
    fail<ConfigError>("sample: height is ", options.height, " and width ", options.width,
                      ", expected 0 (the model's) or more");
  }
  if (options.height > 0) image.height = options.height;
  if (options.width > 0) image.width = options.width;
  Images images(count, image, model.likelihood().levels(), "sampled");
  images.set_conditions(one_each("sample: SampleOptions::conditions", options.conditions, count));
  return images;
}

}  // namespace detail

/// Fills the pixels of `known` that `keep` does not keep, in the model's order: each is drawn given
/// the pixels before it and what is told of its image (Images::conditions). A kept pixel further on
/// does not influence those before it, for a model cannot look ahead; it is only not overwritten.
/// To condition on everything that is known, the known part must come first: in raster order the
/// upper rows (KeepRows), in others (Orientation) another side. Images may have another size than
/// those the model was trained on. Throws ShapeError or ConfigError if images, mask or rule do not
/// fit, NumericError if the model gives NaN.
template <Model M, KeepPolicy Keep, SamplingRule Rule = Multinomial,
          class Sampler = DefaultSampler<M>>
[[nodiscard]] Images complete(const M& model, Images known, const Keep& keep,
                              SampleOptions options = {}, Rule rule = {}, Sampler sampler = {}) {
  return detail::complete(model, std::move(known), keep, options, rule, {}, sampler);
}

/// `count` new images from the model, of its size or of SampleOptions::height and width. Image i is
/// a pure function of (model, seed, first + i, rule, what is told of it).
/// Throws ConfigError if count or a size is negative, what is told does not fit or must be there
/// and is not; NumericError if the model gives NaN.
template <Model M, SamplingRule Rule = Multinomial, class Sampler = DefaultSampler<M>>
[[nodiscard]] Images sample(const M& model, Index count, SampleOptions options = {}, Rule rule = {},
                            Sampler sampler = {}) {
  return detail::complete(model, detail::canvas(model, count, options), KeepRows{0}, options, rule,
                          {}, sampler);
}

/// complete() and sample(), with ln p of what was drawn, which costs nothing more. For estimates
/// whose samples and likelihoods belong together (REINFORCE).
template <Model M, KeepPolicy Keep, SamplingRule Rule = Multinomial,
          class Sampler = DefaultSampler<M>>
[[nodiscard]] Sampled complete_with_log_p(const M& model, Images known, const Keep& keep,
                                          SampleOptions options = {}, Rule rule = {},
                                          Sampler sampler = {}) {
  std::vector<double> log_p(static_cast<std::size_t>(known.count()), 0.0);
  Images images = detail::complete(model, std::move(known), keep, options, rule, log_p, sampler);
  return {std::move(images), std::move(log_p)};
}
template <Model M, SamplingRule Rule = Multinomial, class Sampler = DefaultSampler<M>>
[[nodiscard]] Sampled sample_with_log_p(const M& model, Index count, SampleOptions options = {},
                                        Rule rule = {}, Sampler sampler = {}) {
  return complete_with_log_p(model, detail::canvas(model, count, options), KeepRows{0}, options,
                             rule, sampler);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
