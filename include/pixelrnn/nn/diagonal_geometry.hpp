// SPDX-License-Identifier: MIT
// Where the cells of a diagonal lie in a plain map: the skew of the paper as index arithmetic.
#pragma once

#include <algorithm>
#include <concepts>

#include <pixelrnn/core/shape.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// The side a scan starts on: its column 0 is the map's first column, or its last.
struct FromLeft {
  static constexpr bool is_mirrored = false;
};
struct FromRight {
  static constexpr bool is_mirrored = true;
};
template <class S>
concept ScanSide = requires {
  { S::is_mirrored } -> std::convertible_to<bool>;
};

/// Offsets, in pixels, of cell (r, j) of an H × W map, j counted from the scan's side. States have
/// a row -1 and a column -1, gates a row H and a column W (zero in backward), so both maps are (H +
/// 1) × (W + 1). Mirroring swaps the direction of j and nothing else.
struct DiagonalGeometry {
  Index height, width;

  [[nodiscard]] constexpr Index padded_row() const { return width + 1; }
  [[nodiscard]] constexpr Index padded_pixels() const { return (height + 1) * (width + 1); }

  /// Diagonal d holds the cells r + j = d, rows [first_row, last_row).
  [[nodiscard]] constexpr Index diagonals() const { return height + width - 1; }
  [[nodiscard]] constexpr Index first_row(Index d) const {
    return std::max<Index>(0, d - width + 1);
  }
  [[nodiscard]] constexpr Index last_row(Index d) const { return std::min(d + 1, height); }

  template <ScanSide S>
  [[nodiscard]] constexpr Index pixel(Index r, Index j) const {
    return r * width + (S::is_mirrored ? width - 1 - j : j);
  }
  template <ScanSide S>
  [[nodiscard]] constexpr Index state(Index r, Index j) const {
    return (r + 1) * padded_row() + (S::is_mirrored ? width - 1 - j : j + 1);
  }
  template <ScanSide S>
  [[nodiscard]] constexpr Index gate(Index r, Index j) const {
    return r * padded_row() + (S::is_mirrored ? width - j : j);
  }
  /// From a cell to the next of its diagonal: a row down and a column back.
  template <ScanSide S>
  [[nodiscard]] constexpr Index pixel_step() const {
    return S::is_mirrored ? width + 1 : width - 1;
  }
  template <ScanSide S>
  [[nodiscard]] constexpr Index state_step() const {
    return S::is_mirrored ? padded_row() + 1 : padded_row() - 1;
  }
  /// Offsets of the leftmost cell of a row of the map, of its neighbour j - 1, and of its gates.
  template <ScanSide S>
  [[nodiscard]] constexpr Index first_state(Index r) const {
    return (r + 1) * padded_row() + (S::is_mirrored ? 0 : 1);
  }
  template <ScanSide S>
  [[nodiscard]] constexpr Index first_neighbour(Index r) const {
    return (r + 1) * padded_row() + (S::is_mirrored ? 1 : 0);
  }
  template <ScanSide S>
  [[nodiscard]] constexpr Index first_gate(Index r) const {
    return r * padded_row() + (S::is_mirrored ? 1 : 0);
  }
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
