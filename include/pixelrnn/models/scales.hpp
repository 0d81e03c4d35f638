// SPDX-License-Identifier: MIT
// Smaller images of images, and smaller ones as maps of the size of larger ones.
#pragma once

#include <pixelrnn/core/images.hpp>
#include <pixelrnn/models/encoding.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Every factor-th pixel of every factor-th row, from the first on; labels are kept, maps are not.
/// Throws ConfigError unless factor >= 1 divides height and width.
[[nodiscard]] inline Images subsampled(const Images& images, Index factor) {
  const ImageShape s = images.image_shape();
  if (factor < 1 || s.height % factor != 0 || s.width % factor != 0) {
    detail::fail<ConfigError>("subsampled: factor is ", factor,
                              ", expected 1 or more that divides ", "height and width of images ",
                              s);
  }
  const ImageShape small{s.height / factor, s.width / factor, s.channels};
  Images result(images.count(), small, images.levels(), images.binarization());
  for (Index n = 0; n < images.count(); ++n) {
    for (Index row = 0; row < small.height; ++row) {
      for (Index column = 0; column < small.width; ++column) {
        for (Index c = 0; c < s.channels; ++c) {
          result[n](row, column, c) = images[n](row * factor, column * factor, c);
        }
      }
    }
  }
  result.set_labels(images.labels());
  return result;
}

/// A map (N, factor · H, factor · W, C) that has each pixel of the images factor × factor times,
/// its levels evenly from -1 to 1: for a model to be told (Images::set_condition_maps). Throws
/// ConfigError unless factor >= 1.
[[nodiscard]] inline FeatureMap<float> enlarged(const Images& images, Index factor) {
  if (factor < 1) {
    detail::fail<ConfigError>("enlarged: factor is ", factor, ", expected 1 or more");
  }
  const ImageShape s = images.image_shape();
  FeatureMap<float> maps({images.count(), s.height * factor, s.width * factor, s.channels});
  for (Index n = 0; n < images.count(); ++n) {
    for (Index row = 0; row < s.height * factor; ++row) {
      for (Index column = 0; column < s.width * factor; ++column) {
        for (Index c = 0; c < s.channels; ++c) {
          maps(n, row, column, c) = encode_level<float>(
              Encoding::scaled, images[n](row / factor, column / factor, c), images.levels());
        }
      }
    }
  }
  return maps;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
