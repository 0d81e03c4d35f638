// SPDX-License-Identifier: MIT
// Skewed maps: the paper's formulation of the Diagonal BiLSTM, as functions on whole maps.
#pragma once

#include <algorithm>
#include <type_traits>

#include <pixelrnn/core/tensor.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

// Van den Oord et al. 2016, sec. 3.2 and fig. 3, step by step:
//   left  = unskew(scan(skew(x)))                           scan: column after column
//   right = shift_down(mirror(unskew(scan(skew(mirror(x))))))
//   y     = left + right
// DiagonalScan computes the same without a skewed map; these are for reading, for tests and for
// code that works on skewed maps.

namespace detail {

/// Columns of the skewed map: the last row begins H - 1 columns after the first.
[[nodiscard]] constexpr Index skewed_width(Index height, Index width) {
  return std::max<Index>(0, height + width - 1);
}

}  // namespace detail

/// Offsets each row of the map by one position with respect to the previous row, so that a diagonal
/// becomes a column: S(r, t) = x(r, t - r), zero where x has no such column.
/// x (N, H, W, C) to S (N, H, H + W - 1, C).
template <class T>
[[nodiscard]] FeatureMap<std::remove_const_t<T>> skew(FeatureView<T> x) {
  const Shape<4>& s = x.shape();
  const Index row = s.w() * s.c();
  const Index skewed_row = detail::skewed_width(s.h(), s.w()) * s.c();
  FeatureMap<std::remove_const_t<T>> skewed(
      {s.n(), s.h(), detail::skewed_width(s.h(), s.w()), s.c()});
  for (Index line = 0; line < s.n() * s.h(); ++line) {
    std::copy_n(x.data() + line * row, row,
                skewed.data() + line * skewed_row + line % s.h() * s.c());
  }
  return skewed;
}

/// The inverse of skew: x(r, j) = S(r, j + r). S (N, H, H + width - 1, C) to x (N, H, width, C);
/// what S holds in its padding is dropped. Throws ShapeError if S has not H + width - 1 columns.
template <class T>
[[nodiscard]] FeatureMap<std::remove_const_t<T>> unskew(FeatureView<T> skewed, Index width) {
  const Shape<4>& s = skewed.shape();
  if (width < 0 || s.w() != detail::skewed_width(s.h(), width)) {
    detail::fail<ShapeError>("unskew: the skewed map is ", s, " and width is ", width,
                             ", expected W = H + width - 1 for a width of 0 or more");
  }
  const Index row = width * s.c();
  const Index skewed_row = s.w() * s.c();
  FeatureMap<std::remove_const_t<T>> x({s.n(), s.h(), width, s.c()});
  for (Index line = 0; line < s.n() * s.h(); ++line) {
    std::copy_n(skewed.data() + line * skewed_row + line % s.h() * s.c(), row,
                x.data() + line * row);
  }
  return x;
}

/// The map with its columns in reverse order: y(r, j) = x(r, W - 1 - j).
template <class T>
[[nodiscard]] FeatureMap<std::remove_const_t<T>> mirror(FeatureView<T> x) {
  const Shape<4>& s = x.shape();
  FeatureMap<std::remove_const_t<T>> y(s);
  for (Index line = 0; line < s.n() * s.h(); ++line) {
    for (Index j = 0; j < s.w(); ++j) {
      std::copy_n(x.data() + (line * s.w() + j) * s.c(), s.c(),
                  y.data() + (line * s.w() + s.w() - 1 - j) * s.c());
    }
  }
  return y;
}

/// The map one row lower, the first row zero and the last one dropped: y(r, j) = x(r - 1, j). This
/// is what keeps the right-to-left scan from seeing the pixels right of the current one.
template <class T>
[[nodiscard]] FeatureMap<std::remove_const_t<T>> shift_down(FeatureView<T> x) {
  const Shape<4>& s = x.shape();
  const Index row = s.w() * s.c();
  FeatureMap<std::remove_const_t<T>> y(s);
  for (Index line = 0; line < s.n() * s.h(); ++line) {
    if (line % s.h() == 0) continue;
    std::copy_n(x.data() + (line - 1) * row, row, y.data() + line * row);
  }
  return y;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
