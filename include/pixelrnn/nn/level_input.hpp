// SPDX-License-Identifier: MIT
// Levels as the input of a layer that looks them up.
#pragma once

#include <cmath>

#include <pixelrnn/core/images.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

/// The level that a number of an input is. Throws ValueError if it is none.
template <class T>
[[nodiscard]] Index level_of(const char* where, T value, int levels) {
  if (!(value >= 0 && value < static_cast<T>(levels)) || value != std::floor(value)) {
    fail<ValueError>(where, ": a value is ", value, ", expected a level, 0 to ", levels - 1,
                     ": the model's encoding must be Encoding::level");
  }
  return static_cast<Index>(value);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
