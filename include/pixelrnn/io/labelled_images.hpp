// SPDX-License-Identifier: MIT
// Images and what they show: one label an image.
#pragma once

#include <cstdint>
#include <vector>

#include <pixelrnn/core/images.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

struct LabelledImages {
  Images images;
  std::vector<std::uint8_t> labels;  ///< one an image, from 0 up
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
