// SPDX-License-Identifier: MIT
// sample and complete: new images, and the unknown part of given ones.
#pragma once

#include <pixelrnn/sampling/sampler.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Fills the pixels of `known` that `keep` does not keep, in raster order: each is drawn given the
/// pixels above it and to its left. A kept pixel further on does not influence those before it, for
/// a raster-order model cannot look ahead; it is only not overwritten. To condition on everything
/// that is known, the known part must come first (KeepRows).
/// Throws ShapeError or ConfigError if images, mask or rule do not fit, NumericError if the model
/// gives NaN.
template <Model M, KeepPolicy Keep, SamplingRule Rule = Multinomial,
          class Sampler = DefaultSampler<M>>
[[nodiscard]] Images complete(const M& model, Images known, const Keep& keep,
                              SampleOptions options = {}, Rule rule = {}, Sampler = {}) {
  require_images("complete", model, known);
  require_threads(options.threads, "complete");
  if (options.batch < 1) {
    detail::fail<ConfigError>("complete: batch is ", options.batch, ", expected 1 or more");
  }
  (keep.check)(model.image_shape());
  (rule.check)();
  // Unknown pixels start from level 0, so that what was there cannot matter.
  const ImageShape image = model.image_shape();
  for (Index n = 0; n < known.count(); ++n) {
    for (Index row = 0; row < image.height; ++row) {
      for (Index column = 0; column < image.width; ++column) {
        if (keep.keeps(row, column)) continue;
        for (Index c = 0; c < image.channels; ++c) known[n](row, column, c) = 0;
      }
    }
  }
  if (!known.empty()) Sampler::fill(model, known, keep, rule, options);
  return known;
}

/// `count` new images from the model. Image i is a pure function of (model, seed, first + i, rule).
/// Throws ConfigError if count is negative, NumericError if the model gives NaN.
template <Model M, SamplingRule Rule = Multinomial, class Sampler = DefaultSampler<M>>
[[nodiscard]] Images sample(const M& model, Index count, SampleOptions options = {}, Rule rule = {},
                            Sampler sampler = {}) {
  return complete(model, Images(count, model.image_shape(), model.likelihood().levels(), "sampled"),
                  KeepRows{0}, options, rule, sampler);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
