// SPDX-License-Identifier: MIT
// Where the cells of diagonals lie: the skew of the paper as index arithmetic, without its padding.
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

/// Cells (r, j) of an H × W map, j counted from the scan's side, stored diagonal after diagonal:
/// diagonal d holds r + j = d, rows [first_row, last_row), top to bottom. What the cells of a
/// diagonal need, above and to the left, is the diagonal before it from the row above on, and from
/// the same row on; so each term of the recurrence is one stretch of memory.
///
/// States have room for one cell more at either end of each diagonal from -1 on: above, row -1 of
/// the map; below, its column -1. Gates have one between any two diagonals, where gradients are
/// zero. If only inference is wanted (`keep` false), two diagonals of states take turns, and one of
/// gates does for all.
struct DiagonalGeometry {
  Index height, width;
  bool keep = true;

  [[nodiscard]] constexpr Index diagonals() const {
    return longest() == 0 ? 0 : height + width - 1;
  }
  [[nodiscard]] constexpr Index longest() const { return std::min(height, width); }
  [[nodiscard]] constexpr Index first_row(Index d) const {
    return std::max<Index>(0, d - width + 1);
  }
  [[nodiscard]] constexpr Index last_row(Index d) const { return std::min(d + 1, height); }
  [[nodiscard]] constexpr Index rows(Index d) const { return last_row(d) - first_row(d); }

  /// Cells of all diagonals before d: triangles at both ends, a parallelogram between them.
  [[nodiscard]] constexpr Index cells_before(Index d) const {
    const Index n = longest(), left = diagonals() - d;
    if (d <= n) return d * (d + 1) / 2;
    if (left <= n) return height * width - left * (left + 1) / 2;
    return n * (n + 1) / 2 + (d - n) * n;
  }

  [[nodiscard]] constexpr Index states() const {
    return keep ? height * width + 2 * (diagonals() + 1) : 2 * (longest() + 2);
  }
  [[nodiscard]] constexpr Index state(Index d, Index r) const {
    const Index begin = keep ? cells_before(d) + 2 * (d + 1) : (d + 1) % 2 * (longest() + 2);
    return begin + 1 + r - first_row(d);
  }
  [[nodiscard]] constexpr Index gates() const {
    return keep ? height * width + diagonals() + 1 : longest();
  }
  [[nodiscard]] constexpr Index gate(Index d, Index r) const {
    return (keep ? cells_before(d) + d + 1 : 0) + r - first_row(d);
  }

  /// The pixel of a cell, and from it to that of the next cell: a row down and a column back.
  template <ScanSide S>
  [[nodiscard]] constexpr Index pixel(Index r, Index j) const {
    return r * width + (S::is_mirrored ? width - 1 - j : j);
  }
  template <ScanSide S>
  [[nodiscard]] constexpr Index pixel_step() const {
    return S::is_mirrored ? width + 1 : width - 1;
  }
};

}  // namespace pixelrnn::inline PIXELRNN_ABI
