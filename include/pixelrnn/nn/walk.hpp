// SPDX-License-Identifier: MIT
// Walk: what an incremental walk is told of its images, and the threads that share its products.
#pragma once

#include <pixelrnn/core/team.hpp>
#include <pixelrnn/kernels/types.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// An incremental walk: `batch` images of height × width, pixel by pixel.
struct Walk {
  Index batch = 1;
  Index height = 1;
  Index width = 1;
  /// Shares the work of a step; null: the calling thread does it alone. It must outlive the cache,
  /// and its leader must be who steps.
  Team* team = nullptr;
};

/// FLOP of a product that pay for sharing it: a microsecond of one core's, twice what a team needs
/// to begin and end.
inline constexpr Index worth_sharing = 60'000;

/// Calls product(part) for parts that make up the weights, one for each member of a walk's team, or
/// once for all of them. Each thread then reads its own part of the weights, for all images: where
/// they do not stay in a core's caches that is half of what two threads read that share the images.
/// Bits do not depend on the parts, with kernels that promise it (kernels.hpp).
template <class T, class Product>
void share_units(Team* team, Index rows, const kernels::Packed<const T>& weights,
                 const Product& product) {
  if (team == nullptr || team->size() == 1 ||
      2 * rows * weights.rows * weights.columns() < worth_sharing) {
    return product(weights);
  }
  const Index grain = weights.grain(), grains = (weights.units + grain - 1) / grain;
  const Index parts = std::min(team->size(), grains);
  if (parts == 1) return product(weights);
  team->share([&](Index part) {
    if (part >= parts) return;
    const Index last = grains * (part + 1) / parts * grain;
    product(weights.part(grains * part / parts * grain, std::min(weights.units, last)));
  });
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
