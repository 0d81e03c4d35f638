// SPDX-License-Identifier: MIT
// Extents of tensors and of images; the letters N, H, W, C mean one thing everywhere.
#pragma once

#include <array>
#include <cstddef>
#include <ostream>
#include <type_traits>

#include <pixelrnn/core/error.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Signed, so that differences of positions are ordinary numbers.
using Index = std::ptrdiff_t;

/// Row-major extents, outermost first; a feature map is Shape<4>{N, H, W, C}.
template <std::size_t Rank>
struct Shape {
  std::array<Index, Rank> extent{};

  constexpr Shape() = default;
  template <class... I>
  requires(sizeof...(I) == Rank &&
           (std::is_convertible_v<I, Index> && ...)) constexpr Shape(I... extents)
      : extent{static_cast<Index>(extents)...} {}

  constexpr Index operator[](std::size_t axis) const { return extent[axis]; }
  constexpr Index& operator[](std::size_t axis) { return extent[axis]; }
  constexpr bool operator==(const Shape&) const = default;

  /// Number of elements; 1 for rank 0.
  [[nodiscard]] constexpr Index count() const {
    Index product = 1;
    for (const Index e : extent) product *= e;
    return product;
  }

  // The axes of a feature map.
  [[nodiscard]] constexpr Index n() const requires(Rank == 4) { return extent[0]; }
  [[nodiscard]] constexpr Index h() const requires(Rank == 4) { return extent[1]; }
  [[nodiscard]] constexpr Index w() const requires(Rank == 4) { return extent[2]; }
  [[nodiscard]] constexpr Index c() const requires(Rank == 4) { return extent[3]; }
  /// The same map with another number of channels.
  [[nodiscard]] constexpr Shape with_channels(Index channels) const requires(Rank == 4) {
    return {extent[0], extent[1], extent[2], channels};
  }
};

/// Prints (N=16, H=28, W=28, C=1) for rank 4 and (2, 3) for other ranks.
template <std::size_t Rank>
std::ostream& operator<<(std::ostream& out, const Shape<Rank>& shape) {
  constexpr std::array<const char*, 4> names{"N=", "H=", "W=", "C="};
  out << '(';
  for (std::size_t axis = 0; axis < Rank; ++axis) {
    if (axis != 0) out << ", ";
    if constexpr (Rank == 4) out << names[axis];
    out << shape[axis];
  }
  return out << ')';
}

/// Throws ConfigError if an extent is negative or the element count overflows Index.
template <std::size_t Rank>
void require_valid(const Shape<Rank>& shape, const char* where) {
  Index product = 1;
  for (const Index e : shape.extent) {
    if (e < 0) {
      detail::fail<ConfigError>(where, ": shape is ", shape, ", expected extents of 0 or more");
    }
    if (__builtin_mul_overflow(product, e, &product)) {
      detail::fail<ConfigError>(where, ": shape is ", shape, ", more elements than Index counts");
    }
  }
}

/// The size of one image: what a model is built for.
struct ImageShape {
  Index height = 0;
  Index width = 0;
  Index channels = 1;

  constexpr bool operator==(const ImageShape&) const = default;
  /// Pixels, and sub-pixels (one for each channel of each pixel).
  [[nodiscard]] constexpr Index pixels() const { return height * width; }
  [[nodiscard]] constexpr Index subpixels() const { return height * width * channels; }
};

inline std::ostream& operator<<(std::ostream& out, const ImageShape& image) {
  return out << image.height << 'x' << image.width << 'x' << image.channels;
}

/// Throws ConfigError unless every extent is positive.
inline void require_valid(const ImageShape& image, const char* where) {
  if (image.height < 1 || image.width < 1 || image.channels < 1) {
    detail::fail<ConfigError>(where, ": image is ", image,
                              " (height x width x channels), expected 1 or more of each");
  }
  require_valid(Shape<3>{image.height, image.width, image.channels}, where);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
