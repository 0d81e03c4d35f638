// SPDX-License-Identifier: MIT
// Generated images: something to train on where there is no data set.
#pragma once

#include <cstdint>

#include <pixelrnn/core/images.hpp>

namespace cli {

/// Grey images, 28 by 28, of 256 levels: a disc, box, triangle or cross, solid or in outline, of
/// random size, place and brightness on black. Image i depends on (seed, i) alone.
[[nodiscard]] pixelrnn::Images draw_shapes(pixelrnn::Index count, std::uint64_t seed);

}  // namespace cli
