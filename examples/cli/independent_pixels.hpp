// SPDX-License-Identifier: MIT
// The model to beat: every pixel on its own, with the frequencies of its levels.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include <pixelrnn/core/error.hpp>
#include <pixelrnn/core/images.hpp>

namespace cli {

using namespace pixelrnn;

/// Nats per image of `images` if pixel i has level v with probability (n_iv + 1) / (N + V), where
/// n_iv of the N images of `fitted` have level v there and V is the number of levels (Laplace's
/// rule of succession). Throws ShapeError unless both have images of one size and the same levels.
[[nodiscard]] inline double independent_pixels_nats(const Images& fitted, const Images& images) {
  if (fitted.image_shape() != images.image_shape() || fitted.levels() != images.levels()) {
    detail::fail<ShapeError>("--baseline has images of ", fitted.image_shape(), " with ",
                             fitted.levels(), " levels, --data of ", images.image_shape(), " with ",
                             images.levels());
  }
  const std::size_t levels = static_cast<std::size_t>(images.levels());
  const auto each = [&](const Images& some, auto use) {
    for (Index n = 0; n < some.count(); ++n) {
      std::size_t i = 0;
      for (const Images::Level level : some[n]) use(levels * i++ + level);
    }
  };
  const ImageShape size = images.image_shape();
  std::vector<double> cells(
      static_cast<std::size_t>(size.height * size.width * size.channels) * levels, 1.0);
  each(fitted, [&](std::size_t cell) { cells[cell] += 1; });
  const double total = static_cast<double>(fitted.count()) + static_cast<double>(levels);
  double nats = 0;
  each(images, [&](std::size_t cell) { nats -= std::log(cells[cell] / total); });
  return nats / static_cast<double>(images.count());
}

}  // namespace cli
