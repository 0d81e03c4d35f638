// SPDX-License-Identifier: MIT
// Shapes by their distance functions: negative inside, positive outside.
#include "shapes.hpp"

#include <algorithm>
#include <cmath>

#include <pixelrnn/core/random.hpp>

namespace cli {
namespace {

using namespace pixelrnn;

constexpr Index side = 28;

struct DrawnShape {
  std::uint64_t kind;
  double x, y, radius;

  /// Distance of a pixel from the outline, about right near it.
  [[nodiscard]] double distance(double px, double py) const {
    const double dx = std::abs(px - x), dy = std::abs(py - y);
    const double box = std::max(dx, dy) - radius;
    switch (kind) {
      case 0:  // disc
        return std::hypot(dx, dy) - radius;
      case 1:  // box
        return box;
      case 2:  // triangle: two slopes down from the apex, and a base
        return std::max((2 * dx - (py - y) - radius) / std::sqrt(5.0), py - y - radius);
      default:  // cross: two bars in a box
        return std::max(box, std::min(dx, dy) - radius / 3);
    }
  }
};

void draw(TensorView<Images::Level, 3> image, Rng rng) {
  const double radius = rng.uniform(4, 10);
  const double x = rng.uniform(radius + 1, side - radius - 2);
  const double y = rng.uniform(radius + 1, side - radius - 2);
  const DrawnShape shape{rng.below(4), x, y, radius};
  const bool solid = rng.below(2) == 0;
  const double brightness = rng.uniform(160, 255);
  for (Index row = 0; row < side; ++row) {
    for (Index column = 0; column < side; ++column) {
      const double d = shape.distance(static_cast<double>(column), static_cast<double>(row));
      const double inside = 0.5 - (solid ? d : std::abs(d + 1) - 1);
      image(row, column, 0) =
          static_cast<Images::Level>(std::lround(brightness * std::clamp(inside, 0.0, 1.0)));
    }
  }
}

}  // namespace

Images draw_shapes(Index count, std::uint64_t seed) {
  Images images(count, {side, side, 1}, 256);
  for (Index i = 0; i < count; ++i) {
    draw(images[i], Rng(seed, static_cast<std::uint64_t>(i) << 8));  // each draws fewer than 2^8
  }
  return images;
}

}  // namespace cli
