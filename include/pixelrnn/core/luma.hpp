// SPDX-License-Identifier: MIT
// Luma: the grey image of a colour one.
#pragma once

#include <pixelrnn/core/images.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Y = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601-7, sec. 2.5.1), rounded to the nearest whole level
/// and halves up, in whole numbers: (299 R + 587 G + 114 B + 500) / 1000. The weights add up to 1,
/// so the levels keep their range.
[[nodiscard]] constexpr Images::Level luma(int red, int green, int blue) {
  return static_cast<Images::Level>((299 * red + 587 * green + 114 * blue + 500) / 1000);
}
static_assert(luma(255, 255, 255) == 255 && luma(1, 1, 1) == 1 && luma(0, 1, 0) == 1);

/// The luma of each pixel: (N, H, W, 3) to (N, H, W, 1), with the same levels and labels. Grey
/// images come back as they are. Throws ShapeError unless images have 1 or 3 channels.
[[nodiscard]] inline Images to_grey(const Images& images) {
  const ImageShape image = images.image_shape();
  if (image.channels == 1) return images;
  if (image.channels != 3) {
    detail::fail<ShapeError>("to_grey: images are ", image,
                             " (height x width x channels), expected 1 or 3 channels");
  }
  Images grey(images.count(), {image.height, image.width, 1}, images.levels(),
              images.binarization());
  const Images::Level* rgb = images.pixels().data();
  for (Images::Level& y : grey.pixels()) {
    y = luma(rgb[0], rgb[1], rgb[2]);
    rgb += 3;
  }
  grey.set_labels(images.labels());
  return grey;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
