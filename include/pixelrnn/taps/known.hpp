// SPDX-License-Identifier: MIT
// Known: when a walk knows a value, and what a value knows of its own pixel.
#pragma once

#include <algorithm>

#include <pixelrnn/core/shape.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// When a walk can compute a value: for the whole map before it begins (what images are told), for
/// a row before its first pixel (what is made of rows above alone, as a vertical stack is), or
/// pixel by pixel.
enum class Domain { map, row, pixel };

/// What a value of colour group g knows of its own pixel's input: nothing, the colours before g,
/// those up to g, or all. Only values of the first two kinds may tell how a pixel is distributed;
/// they do not change with the last colour that is drawn.
enum class OwnPixel { nothing, earlier_colours, own_colour, every_colour };

struct Known {
  Domain domain = Domain::pixel;
  OwnPixel own = OwnPixel::nothing;
  Index colours = 0;  ///< of how many groups `own` speaks; 0: as many as the image has channels

  /// Of something that is made of both.
  [[nodiscard]] constexpr Known with(const Known& other) const {
    const Known latest{std::max(domain, other.domain), std::max(own, other.own),
                       own >= other.own ? colours : other.colours};
    const Known& less = own >= other.own ? other : *this;
    return less.own == OwnPixel::nothing || latest.agrees(less.colours) ? latest : latest.mixed();
  }
  /// Of a sum whose centre tap reads it, under a mask of so many colours.
  [[nodiscard]] constexpr Known through(OwnPixel centre, Index mask_colours) const {
    if (own == OwnPixel::nothing || centre == OwnPixel::nothing) {
      return {domain, OwnPixel::nothing, mask_colours};
    }
    const Known read{domain, std::min(own, centre), mask_colours};
    const bool is_mixed = own == OwnPixel::every_colour || centre == OwnPixel::every_colour;
    return is_mixed || !agrees(mask_colours) ? read.mixed() : read;
  }
  /// Of a recurrence of so many colours that reads it under mask B: computed pixel by pixel.
  [[nodiscard]] constexpr Known scanned(Index recurrence_colours) const {
    return Known{Domain::pixel, own, colours}.through(OwnPixel::own_colour, recurrence_colours);
  }
  /// Whether it changes with the pixel's own colour.
  [[nodiscard]] constexpr bool sees_own() const { return own >= OwnPixel::own_colour; }

 private:
  /// Groups of another number overlap these.
  [[nodiscard]] constexpr bool agrees(Index others) const {
    return colours == 0 || others == 0 || colours == others;
  }
  [[nodiscard]] constexpr Known mixed() const { return {domain, OwnPixel::every_colour, colours}; }
};

static_assert(Known{Domain::pixel, OwnPixel::own_colour}
                  .through(OwnPixel::earlier_colours, 3)
                  .through(OwnPixel::own_colour, 3)
                  .own == OwnPixel::earlier_colours);
static_assert(
    Known{Domain::pixel, OwnPixel::earlier_colours, 3}.through(OwnPixel::own_colour, 1).own ==
    OwnPixel::every_colour);

}  // namespace pixelrnn::inline PIXELRNN_ABI
