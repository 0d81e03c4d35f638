// SPDX-License-Identifier: MIT
// The register tile: R rows × V vectors of sums kept in registers; every product of the library.
#pragma once

#include <algorithm>
#include <utility>

#include <pixelrnn/kernels/types.hpp>
#include <pixelrnn/simd/batch.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::kernels::detail {

using simd::Batch;
using simd::lanes;

/// Rows of the largest tile of V vectors. R·V sums, the smaller of R and V operands and one more
/// must fit the registers, and at least eight sums must be under way to hide the latency of a
/// fused multiply-add on two ports.
template <int V>
inline constexpr int max_tile_rows = simd::registers >= 32 ? (V == 4 ? 6 : (V == 2 ? 12 : 14))
                                                           : (V == 4 ? 3 : (V == 2 ? 6 : 8));

/// Calls f(constant 0), ..., f(constant N-1), unrolled before anything else is optimised: only
/// arrays indexed by constants become registers, a loop of known length comes too late for that.
template <int N, class F>
PIXELRNN_ALWAYS_INLINE void unrolled(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) PIXELRNN_INLINE_LAMBDA {
    (f(std::integral_constant<int, I>{}), ...);
  }
  (std::make_integer_sequence<int, N>{});
}

template <class T, int R, int V>
struct Tile {
  Batch<T> sum[std::size_t{R}][std::size_t{V}];

  PIXELRNN_ALWAYS_INLINE Tile() {
    unrolled<R * V>([&](auto i) PIXELRNN_INLINE_LAMBDA { sum[i / V][i % V] = Batch<T>(T{0}); });
  }

  /// Partial sums put aside, and taken up again: exact, so the order of additions stays the same.
  PIXELRNN_ALWAYS_INLINE void save(T* to) const {
    unrolled<R * V>(
        [&](auto i) PIXELRNN_INLINE_LAMBDA { simd::store(to + i * lanes<T>, sum[i / V][i % V]); });
  }
  PIXELRNN_ALWAYS_INLINE void resume(const T* from) {
    unrolled<R * V>([&](auto i) PIXELRNN_INLINE_LAMBDA {
      sum[i / V][i % V] = simd::load(from + i * lanes<T>);
    });
  }

  /// sum[r][v] += Σ_k a[r·row_stride + k·step] · b[k·b_stride + v·lanes ...], k in order.
  /// One broadcast and V fused multiply-adds a row; the smaller operand stays in registers.
  PIXELRNN_ALWAYS_INLINE void accumulate(const T* a, Index row_stride, Index step, const T* b,
                                         Index b_stride, Index length) {
    for (Index k = 0; k < length; ++k, a += step, b += b_stride) {
      if constexpr (V <= R) {
        Batch<T> right[std::size_t{V}];
        unrolled<V>([&](auto v)
                        PIXELRNN_INLINE_LAMBDA { right[v] = simd::load(b + v * lanes<T>); });
        unrolled<R>([&](auto r) PIXELRNN_INLINE_LAMBDA {
          const Batch<T> left(a[r * row_stride]);
          unrolled<V>([&](auto v) PIXELRNN_INLINE_LAMBDA {
            sum[r][v] = simd::fma(left, right[v], sum[r][v]);
          });
        });
      } else {
        Batch<T> left[std::size_t{R}];
        unrolled<R>([&](auto r) PIXELRNN_INLINE_LAMBDA { left[r] = Batch<T>(a[r * row_stride]); });
        unrolled<V>([&](auto v) PIXELRNN_INLINE_LAMBDA {
          const Batch<T> right = simd::load(b + v * lanes<T>);
          unrolled<R>([&](auto r) PIXELRNN_INLINE_LAMBDA {
            sum[r][v] = simd::fma(left[r], right, sum[r][v]);
          });
        });
      }
    }
  }
};

/// Calls f.template operator()<R>() with the run-time number of rows, 1 to R, as a constant.
template <int R, class F>
PIXELRNN_ALWAYS_INLINE void with_rows(Index rows, F&& f) {
  if constexpr (R > 1) {
    if (rows < R) return with_rows<R - 1>(rows, f);
  }
  f.template operator()<R>();
}

/// Calls f.template operator()<R>(first_row) for tiles that cover [0, rows), largest first. Narrow
/// tiles come in few heights, which keeps the library quick to compile; the wide ones, where the
/// work is, in all, and as even as they come: a tile of one row runs at half speed.
template <int V, class F>
PIXELRNN_ALWAYS_INLINE void for_each_tile(Index rows, F&& f) {
  constexpr int most = max_tile_rows<V>;
  Index first = 0;
  const auto call = [&]<int R>() PIXELRNN_INLINE_LAMBDA { f.template operator()<R>(first); };
  while (first < rows) {
    const Index left = rows - first;
    Index height = 0;
    if constexpr (V == 4) {
      const Index tiles = (left + most - 1) / most;
      height = (left + tiles - 1) / tiles;
      with_rows<most>(height, call);
    } else if (left >= most) {
      height = most;
      call.template operator()<most>();
    } else if (most >= 12 && left >= 6) {
      height = 6;
      call.template operator()<6>();
    } else if (left >= 3) {
      height = 3;
      call.template operator()<3>();
    } else {
      height = 1;
      call.template operator()<1>();
    }
    first += height;
  }
}

/// Splits `columns` into panels of 4, 2 or 1 vectors, widest first, the last one zero-padded, and
/// calls f.template operator()<V>(first_column) for each.
template <class T, class F>
PIXELRNN_ALWAYS_INLINE void for_each_panel(Index columns, F&& f) {
  Index column = 0;
  while (columns - column > 3 * lanes<T>) {
    f.template operator()<4>(column);
    column += 4 * lanes<T>;
  }
  if (columns - column > lanes<T>) {
    f.template operator()<2>(column);
    column += 2 * lanes<T>;
  }
  if (columns - column > 0) f.template operator()<1>(column);
}

/// Rows of a panel of V vectors that stay in the first-level cache beside what they meet: 24 kB.
template <class T, int V>
inline constexpr Index cached_rows = 24 * 1024 / (V * lanes<T> * static_cast<Index>(sizeof(T)));

/// Tiles of `rows` × V vectors of Σ_terms term·panel, each handed to
/// finish.template operator()<R>(first_row, tile). A panel too long for the first-level cache is
/// gone through in parts: all tiles of a stretch of rows take one part before any takes the next.
template <int V, class T, class F>
PIXELRNN_ALWAYS_INLINE void multiply(Index rows, std::span<const Term<T>> terms, const T* panel,
                                     Index panel_rows, F&& finish) {
  constexpr Index width = V * lanes<T>, stretch = 48;
  alignas(64) T partial[static_cast<std::size_t>(stretch * width)];
  for (Index begin = 0; begin < rows; begin += stretch) {
    Index from = 0;
    do {
      const Index to = std::min(from + cached_rows<T, V>, panel_rows);
      for_each_tile<V>(std::min(stretch, rows - begin), [&]<int R>(Index first) {
        Tile<T, R, V> tile;
        if (from > 0) tile.resume(partial + first * width);
        Index row = 0;
        for (const Term<T>& term : terms) {
          const Index low = std::max(from, row), high = std::min(to, row + term.length);
          if (low < high) {
            tile.accumulate(term.data + (begin + first) * term.stride + (low - row), term.stride, 1,
                            panel + low * width, width, high - low);
          }
          row += term.length;
        }
        if (to < panel_rows) {
          tile.save(partial + first * width);
        } else {
          finish.template operator()<R>(begin + first, tile);
        }
      });
      from = to;
    } while (from < panel_rows);
  }
}

/// Columns after padding to whole vectors.
template <class T>
[[nodiscard]] constexpr Index padded(Index columns) {
  return (columns + lanes<T> - 1) / lanes<T> * lanes<T>;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::kernels::detail
