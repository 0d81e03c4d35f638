// SPDX-License-Identifier: MIT
// Pieces: a batch cut into fixed runs of rows, and frames: rows that taps may read without a
// branch.
#pragma once

#include <algorithm>

#include <pixelrnn/core/tuning.hpp>
#include <pixelrnn/kernels/backend.hpp>

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

/// Pixels of an unpadded map, or of lines by pairs, that are worked on together.
using tuning::frame_pixels;

/// Scalars that a copy of any frame needs.
[[nodiscard]] constexpr Index frame_size(const Pieces& pieces, Index channels, const Padding& pad) {
  return channels * (pad.none() ? frame_pixels
                                : (pieces.height + pad.above + pad.below) *
                                      (pieces.width + pad.left + pad.right));
}

/// Rows [first, last) of an image, framed: copied to `room` with the padding around them, zeros
/// outside the image; with `relu`, max(x, 0) of it. Rows of padding inside the image hold the
/// image.
template <class K, class T>
[[nodiscard]] PIXELRNN_COMPILED_ONCE Frame<T> padded_frame(const T* image, Index channels,
                                                           const Pieces& pieces, Index first,
                                                           Index last, const Padding& pad,
                                                           bool relu, T* room) {
  const Index row = pieces.width * channels;
  T* to = room;
  for (Index r = first - pad.above; r < last + pad.below; ++r) {
    to = std::fill_n(to, pad.left * channels, T{0});
    if (r < 0 || r >= pieces.height) {
      std::fill_n(to, row, T{0});
    } else if (relu) {
      K::relu(row, image + r * row, to);
    } else {
      std::copy_n(image + r * row, row, to);
    }
    to = std::fill_n(to + row, pad.right * channels, T{0});
  }
  const Index line = row + (pad.left + pad.right) * channels;
  return {room + pad.above * line + pad.left * channels, last - first, pieces.width, line,
          channels};
}

/// Calls f(frame, first pixel) for frames that cover a chunk of a map of `channels` channels:
/// padded pieces in `room` or, without padding, stretches of pixels in place (copied only for
/// `relu`).
template <class K, class T, class F>
void for_each_frame(const T* map, Index channels, const Pieces& pieces, Index chunk,
                    const Padding& pad, bool relu, T* room, F&& f) {
  pieces.for_each(chunk, [&](const Piece& piece) {
    if (!pad.none()) {
      const T* const image = map + piece.image * pieces.height * pieces.width * channels;
      f(padded_frame<K>(image, channels, pieces, piece.first_row, piece.last_row, pad, relu, room),
        piece.first_pixel);
      return;
    }
    const Index end = piece.first_pixel + (piece.last_row - piece.first_row) * pieces.width;
    for (Index pixel = piece.first_pixel; pixel < end; pixel += frame_pixels) {
      const Index pixels = std::min(frame_pixels, end - pixel);
      const T* from = map + pixel * channels;
      if (relu) {
        K::relu(pixels * channels, from, room);
        from = room;
      }
      f(Frame<T>{from, 1, pixels, 0, channels}, pixel);
    }
  });
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
