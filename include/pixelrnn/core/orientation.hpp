// SPDX-License-Identifier: MIT
// Orientation: the order in which a model goes through the pixels of an image.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include <pixelrnn/core/tensor.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// One of the eight symmetries of a rectangle of pixels. A model goes through an image row by row
/// from above, each row from the left (raster order), or from another corner, or by columns:
/// through an image that is mirrored and transposed so that its own order is the raster's. What is
/// known of an image before a completion should come first in that order: with `from_below` the
/// lower half.
struct Orientation {
  bool by_columns = false;  ///< a column after the other, instead of rows
  bool from_below = false;  ///< rows from the last to the first
  bool from_right = false;  ///< columns from the last to the first

  friend constexpr bool operator==(const Orientation&, const Orientation&) = default;
  [[nodiscard]] constexpr bool is_raster() const { return *this == Orientation{}; }

  /// The size of an image as a model goes through it: height and width change places by columns.
  [[nodiscard]] constexpr ImageShape ordered(const ImageShape& image) const {
    return by_columns ? ImageShape{image.width, image.height, image.channels} : image;
  }

  struct Place {
    Index row = 0, column = 0;
  };
  /// Where the model's pixel (row, column) lies in an image.
  [[nodiscard]] constexpr Place in_image(const ImageShape& image, Index row, Index column) const {
    const Place p = by_columns ? Place{column, row} : Place{row, column};
    return {from_below ? image.height - 1 - p.row : p.row,
            from_right ? image.width - 1 - p.column : p.column};
  }
  /// The other way: which of the model's pixels pixel (row, column) of an image is.
  [[nodiscard]] constexpr Place in_order(const ImageShape& image, Index row, Index column) const {
    const Place p{from_below ? image.height - 1 - row : row,
                  from_right ? image.width - 1 - column : column};
    return by_columns ? Place{p.column, p.row} : p;
  }
};

/// All eight.
inline constexpr std::array<Orientation, 8> all_orientations{{{false, false, false},
                                                              {true, false, false},
                                                              {false, true, false},
                                                              {true, true, false},
                                                              {false, false, true},
                                                              {true, false, true},
                                                              {false, true, true},
                                                              {true, true, true}}};

/// "rows", "columns from below", "rows from below from right", ...: as model files say it.
[[nodiscard]] inline std::string name_of(const Orientation& o) {
  return std::string(o.by_columns ? "columns" : "rows") + (o.from_below ? " from below" : "") +
         (o.from_right ? " from right" : "");
}
[[nodiscard]] inline std::optional<Orientation> orientation_named(std::string_view name) {
  for (const Orientation& o : all_orientations) {
    if (name == name_of(o)) return o;
  }
  return std::nullopt;
}

/// Calls f(to, from) with the number of each pixel among those of a map in a model's order and in
/// the image. `image` is the size of the image.
template <class F>
constexpr void for_each_ordered_pixel(const Orientation& o, const ImageShape& image, F&& f) {
  const ImageShape ordered = o.ordered(image);
  Index to = 0;
  for (Index row = 0; row < ordered.height; ++row) {
    for (Index column = 0; column < ordered.width; ++column, ++to) {
      const Orientation::Place p = o.in_image(image, row, column);
      f(to, p.row * image.width + p.column);
    }
  }
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
