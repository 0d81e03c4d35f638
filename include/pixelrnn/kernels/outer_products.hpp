// SPDX-License-Identifier: MIT
// Outer products, aᵀ·b of long maps: the weight gradients of every layer.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include <pixelrnn/core/tuning.hpp>
#include <pixelrnn/kernels/tile.hpp>
#include <pixelrnn/kernels/types.hpp>
#include <pixelrnn/simd/batch.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::kernels::detail {

/// Rows of a part of a product: 32 kB of b, which stay in the first-level cache while all columns
/// of a meet them.
template <class T>
inline constexpr Index outer_rows = rows_in<T, 4>(tuning::first_level_part);

/// Whether rows of b are read where they lie, in parts of 128 kB and by tiles of several vectors: a
/// core that gets them from its second-level cache as fast as it needs them has no use for copies.
/// With vectors of 256 bits the other way is faster. Columns that leave a tile of one vector go the
/// same way everywhere: where parts are cut would else change its bits.
template <class T>
[[nodiscard]] bool reads_in_place(Index columns) {
  if constexpr (lanes<T> * sizeof(T) < 64) return false;
  return !first_level_keeps_parts() && columns % (2 * lanes<T>) == 0;
}
template <class T>
inline constexpr Index outer_rows_in_place = rows_in<T, 4>(tuning::second_level_part);

/// Else: columns of a that make it worth while to copy the rows of b that they meet side by side:
/// far apart, they compete for the same few sets of the first-level cache.
inline constexpr Index copying_b_pays = tuning::copying_b_columns;

/// Columns of a, 2 kB or more, from which on that holds for its rows too: tiles read a few columns
/// of all of them, and rows of 1024 floats lie all in one set. Fewer columns lose by it.
template <class T>
inline constexpr Index copying_a_pays = tuning::copying_a_bytes / static_cast<Index>(sizeof(T));

/// Columns of a that are copied at a time, to rows that are one vector longer: the copy takes 56 kB
/// of stack, whatever the vectors.
template <class T>
inline constexpr Index outer_block = 6 * lanes<T>;

/// Copies `columns` columns of all strips' a or b to rows of `line` values at `to`, and lets the
/// strips read them there.
template <class T>
void gather(std::span<Strip<T>> strips, const T* Strip<T>::*operand, Index Strip<T>::*step,
            Index columns, T* to, Index line) {
  for (Strip<T>& strip : strips) {
    const T* from = strip.*operand;
    strip.*operand = to;
    for (Index r = 0; r < strip.length; ++r, from += strip.*step, to += line) {
      simd::transform(columns, from, to, [](Batch<T> x) { return x; });
    }
    strip.*step = line;
  }
}

/// Calls f.template operator()<V, C>(first_column) for tiles of 4, 2 or 1 vectors over so many
/// columns, a multiple of a vector; those of one vector keep two chains. So bits of a gradient do
/// depend on the instruction set.
template <class T, class F>
PIXELRNN_ALWAYS_INLINE void for_each_block(Index columns, F&& f) {
  Index column = 0;
  for (; columns - column >= 4 * lanes<T>; column += 4 * lanes<T>) {
    f.template operator()<4, 1>(column);
  }
  if (columns - column >= 2 * lanes<T>) {
    f.template operator()<2, 1>(column);
    column += 2 * lanes<T>;
  }
  if (column < columns) f.template operator()<1, 2>(column);
}

/// add_outer_products of at most max_strips pairs with outer_rows rows in all, or
/// outer_rows_in_place.
template <class T>
void add_outer_part(std::span<const RowPairs<T>> pairs, RowShape a, RowShape b, Rows<T> out,
                    bool in_place) {
  constexpr Index width = lanes<T>, line = outer_block<T> + width;
  alignas(64) T block[static_cast<std::size_t>(outer_rows<T> * line)];
  alignas(64) T panel[static_cast<std::size_t>(outer_rows<T> * 4 * width)];
  // A strip for each pair: the columns of a are the rows of the product.
  std::array<Strip<T>, max_strips> room;
  const std::span<Strip<T>> strips(room.data(), pairs.size());
  const bool copies_a = !in_place && a.columns >= copying_a_pays<T>;
  const bool copies_b = !in_place && a.columns >= copying_b_pays;
  const Index whole = b.columns / width * width;
  const Index step = copies_a ? outer_block<T> : a.columns;
  for (Index row = 0; row < a.columns && whole > 0; row += step) {
    const Index rows = std::min(step, a.columns - row);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      strips[i] = {pairs[i].a + row, 1, a.stride, nullptr, 0, pairs[i].rows};
    }
    if (copies_a) gather(strips, &Strip<T>::a, &Strip<T>::a_step, rows, block, line);
    for_each_block<T>(whole, [&]<int V, int C>(Index column) {
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        strips[i].b = pairs[i].b + column, strips[i].b_step = b.stride;
      }
      if (copies_b) gather(strips, &Strip<T>::b, &Strip<T>::b_step, V * width, panel, V * width);
      const Rows<T> sums = out.from(row, column);
      add_products<V, C, T>(rows, std::span<const Strip<T>>(strips), {.start = sums, .out = sums});
    });
  }
  if (whole == b.columns) return;
  // The last few columns: the operands' roles swapped, stored transposed.
  const Index rest = b.columns - whole;
  const Index whole_rows = a.columns / width * width;
  for (Index row = 0; row < whole_rows; row += width) {
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      strips[i] = {pairs[i].b + whole, 1, b.stride, pairs[i].a + row, a.stride, pairs[i].rows};
    }
    alignas(64) T sums[static_cast<std::size_t>(width * width)];
    add_products<1, 2, T>(rest, std::span<const Strip<T>>(strips), {.out = {sums, width}});
    for (Index column = 0; column < rest; ++column) {
      for (Index lane = 0; lane < width; ++lane) {
        out[row + lane][whole + column] += sums[column * width + lane];
      }
    }
  }
  // And the corner that neither operand fills with whole vectors.
  for (Index m = whole_rows; m < a.columns; ++m) {
    for (Index n = whole; n < b.columns; ++n) {
      T sum{0};
      for (const RowPairs<T>& pair : pairs) {
        for (Index r = 0; r < pair.rows; ++r) {
          sum += pair.a[r * a.stride + m] * pair.b[r * b.stride + n];
        }
      }
      out[m][n] += sum;
    }
  }
}

/// Kernels::add_outer_products, in parts.
template <class T>
void add_outer_products(std::span<const RowPairs<T>> pairs, RowShape a, RowShape b, Rows<T> out,
                        bool in_place) {
  std::array<RowPairs<T>, max_strips> part;
  const Index most = in_place ? outer_rows_in_place<T> : outer_rows<T>;
  std::size_t count = 0;
  Index room = most;
  const auto flush = [&] {
    add_outer_part(std::span<const RowPairs<T>>(part.data(), count), a, b, out, in_place);
    count = 0, room = most;
  };
  for (RowPairs<T> rest : pairs) {
    while (rest.rows > 0) {
      const Index rows = std::min(room, rest.rows);
      part[count++] = {rest.a, rest.b, rows};
      rest = {rest.a + rows * a.stride, rest.b + rows * b.stride, rest.rows - rows};
      room -= rows;
      if (room == 0 || count == part.size()) flush();
    }
  }
  if (count > 0) flush();
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::kernels::detail
