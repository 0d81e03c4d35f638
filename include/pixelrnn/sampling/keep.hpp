// SPDX-License-Identifier: MIT
// Keep policies: which pixels of a picture a completion leaves as they are.
#pragma once

#include <concepts>
#include <utility>

#include <pixelrnn/core/tensor.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Says of each pixel whether it is known; check(image) throws if it does not fit an image.
template <class K>
concept KeepPolicy = requires(const K& keep, Index row, Index column, ImageShape image) {
  { keep.keeps(row, column) } -> std::same_as<bool>;
  (keep.check)(image);
};

/// The first `rows` rows.
struct KeepRows {
  Index rows = 0;
  [[nodiscard]] bool keeps(Index row, Index) const { return row < rows; }
  void(check)(const ImageShape& image) const {
    if (rows < 0 || rows > image.height) {
      detail::fail<ConfigError>("KeepRows: rows is ", rows, ", expected 0 to ", image.height,
                                " for images ", image);
    }
  }
};

/// A box of pixels, `inside` known, or everything but it.
struct KeepBox {
  Index top = 0, left = 0, height = 0, width = 0;
  bool inside = true;
  [[nodiscard]] bool keeps(Index row, Index column) const {
    const bool in = row >= top && row < top + height && column >= left && column < left + width;
    return in == inside;
  }
  void(check)(const ImageShape& image) const {
    if (top < 0 || left < 0 || height < 0 || width < 0 || top > image.height - height ||
        left > image.width - width) {
      detail::fail<ConfigError>("KeepBox: {top=", top, ", left=", left, ", height=", height,
                                ", width=", width, "} leaves images ", image,
                                ", expected numbers from 0 on, top + height up to ", image.height,
                                " and left + width up to ", image.width);
    }
  }
};

/// Every other pixel, like the dark fields of a chessboard.
struct KeepAlternate {
  [[nodiscard]] bool keeps(Index row, Index column) const { return (row + column) % 2 == 0; }
  void(check)(const ImageShape&) const {}
};

/// Any mask: (H, W), known where not 0.
struct KeepMask {
  Tensor<unsigned char, 2> mask;
  [[nodiscard]] bool keeps(Index row, Index column) const { return mask(row, column) != 0; }
  void(check)(const ImageShape& image) const {
    if (mask.shape() != Shape<2>{image.height, image.width}) {
      detail::fail<ShapeError>("KeepMask: mask is ", mask.shape(), ", expected (", image.height,
                               ", ", image.width, ") for images ", image);
    }
  }
};

static_assert(KeepPolicy<KeepRows> && KeepPolicy<KeepBox> && KeepPolicy<KeepAlternate> &&
              KeepPolicy<KeepMask>);

}  // namespace pixelrnn::inline PIXELRNN_ABI
