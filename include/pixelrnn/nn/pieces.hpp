// SPDX-License-Identifier: MIT
// Pieces: a batch cut into fixed runs of rows, and frames: rows that taps may read without a
// branch.
#pragma once

#include <algorithm>

#include <pixelrnn/nn/backend.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Columns and rows of zeros around an image, so that taps outside it need no branch.
struct Padding {
  Index above = 0, below = 0, left = 0, right = 0;
  [[nodiscard]] constexpr bool none() const { return above + below + left + right == 0; }
  /// What the transposed convolution needs: it reads where the convolution was read from.
  [[nodiscard]] constexpr Padding mirrored() const { return {below, above, right, left}; }
};

/// Rows [first_row, last_row) of one image; first_pixel counts over the whole batch.
struct Piece {
  Index image, first_row, last_row, first_pixel;
};

/// The rows of N × H × W maps in fixed chunks: the unit of parallel work. Where a chunk crosses an
/// image it is several pieces.
struct Pieces {
  explicit constexpr Pieces(const Shape<4>& map)
      : height(map.h()), width(map.w()), chunks{map.n() * map.h()} {}

  template <class F>
  void for_each(Index chunk, F&& f) const {
    for (Index row = chunks.first(chunk); row < chunks.last(chunk);) {
      const Index image = row / height;
      const Index first = row % height;
      const Index last = std::min(height, first + chunks.last(chunk) - row);
      f(Piece{image, first, last, row * width});
      row += last - first;
    }
  }

  Index height, width;
  Chunks chunks;
};

/// A piece as kernels read it: `lines` lines of `pixels` pixels, where every pixel may be read at
/// every offset the padding covers.
template <class T>
struct Frame {
  const T* origin = nullptr;  ///< the first pixel
  Index lines = 0, pixels = 0, line_stride = 0, channels = 0;

  [[nodiscard]] const T* at(Index line, Index dy, Index dx) const {
    return origin + (line + dy) * line_stride + dx * channels;
  }
};

/// Scalars that a padded copy of any piece needs.
[[nodiscard]] constexpr Index frame_size(const Pieces& pieces, Index channels, const Padding& pad) {
  return pad.none() ? 0
                    : (pieces.height + pad.above + pad.below) *
                          (pieces.width + pad.left + pad.right) * channels;
}

/// Frames a piece of a map of `channels` channels. Without padding that is the memory itself as one
/// long line; with padding a copy in `room`, zeros outside the image.
template <class T>
[[nodiscard]] Frame<T> frame(const T* map, Index channels, const Pieces& pieces, const Piece& piece,
                             const Padding& pad, T* room) {
  const Index row = pieces.width * channels;
  const Index rows = piece.last_row - piece.first_row;
  if (pad.none()) return {map + piece.first_pixel * channels, 1, rows * pieces.width, 0, channels};
  const T* image = map + piece.image * pieces.height * row;
  T* to = room;
  for (Index r = piece.first_row - pad.above; r < piece.last_row + pad.below; ++r) {
    to = std::fill_n(to, pad.left * channels, T{0});
    to = r < 0 || r >= pieces.height ? std::fill_n(to, row, T{0})
                                     : std::copy_n(image + r * row, row, to);
    to = std::fill_n(to, pad.right * channels, T{0});
  }
  const Index line = row + (pad.left + pad.right) * channels;
  return {room + pad.above * line + pad.left * channels, rows, pieces.width, line, channels};
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
