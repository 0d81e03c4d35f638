// SPDX-License-Identifier: MIT
// The register tile: R rows × V vectors of sums kept in registers; every product of the library.
#pragma once

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <pixelrnn/core/processor.hpp>
#include <pixelrnn/core/tuning.hpp>
#include <pixelrnn/kernels/types.hpp>
#include <pixelrnn/simd/batch.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::kernels::detail {

using simd::Batch;
using simd::lanes;

/// Chains: the sums that a tile keeps for each output, one, or two for even and odd k of a strip. A
/// single row would otherwise wait for each addition before it begins the next, where there are few
/// columns: one vector of 16 floats, say. Which columns have two is a matter of the weights' shape
/// alone (see two_chains_from), because bits depend on it.
///
/// Rows of the largest tile of V vectors and C chains: R·V·C sums, the smaller of R and V operands
/// and one more must fit the registers, and at least eight sums must be under way to hide the
/// latency of a fused multiply-add on two ports.
template <int V, int C>
inline constexpr int max_tile_rows = [] {
  constexpr int sums = V * C;  // of a row
  if (simd::registers >= 32) return sums >= 8 ? 3 : (sums == 4 ? 6 : (C == 2 ? 14 : 12));
  return sums >= 8 ? 1 : (sums == 4 ? 3 : 6);
}();

/// Calls f(constant 0), ..., f(constant N-1), unrolled before anything else is optimised: only
/// arrays indexed by constants become registers, a loop of known length comes too late for that.
template <int N, class F>
PIXELRNN_ALWAYS_INLINE void unrolled(F&& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) PIXELRNN_INLINE_LAMBDA {
    (f(std::integral_constant<int, I>{}), ...);
  }
  (std::make_integer_sequence<int, N>{});
}

/// A stretch of a product: Σ over k < length of a[r·a_row + k·a_step] · b[k·b_step + n].
template <class T>
struct Strip {
  const T* a;
  Index a_row, a_step;
  const T* b;
  Index b_step, length;
};

/// Where sums begin and end: out[r] = addend[r] + (start[r] + products), where start and addend may
/// be null and either may be out. Handed on by reference: a copy, made of vectors, would wait until
/// the words just written have left the store buffer, which is long beside a tile of one row.
template <class T>
struct Sums {
  Rows<const T> start{};
  Rows<const T> addend{};
  Rows<T> out{};
};

/// Memory that tiles of four vectors bring to the second-level cache while they multiply.
struct Fetch {
  const char* from = nullptr;
  Index lines = 0;  ///< of 64 bytes: a part's in all; a tile's for each line of its left operand
};

/// What a tile does of its sums. One that does not end them leaves the addend to another.
struct Part {
  bool ends = true;
  Fetch fetch{};
};

/// Brings R rows of V vectors to the first-level cache.
template <int R, int V, class T>
PIXELRNN_ALWAYS_INLINE void prefetch_rows(const T* row, Index stride) {
  unrolled<R>([&](auto) PIXELRNN_INLINE_LAMBDA {
    unrolled<V>([&](auto v) PIXELRNN_INLINE_LAMBDA { __builtin_prefetch(row + v * lanes<T>); });
    row += stride;
  });
}

/// R rows from `first` on × V vectors of sums over all strips in order, k in order, of each strip
/// those of k = c mod C added up apart: one broadcast and V fused multiply-adds a row and k;
/// the smaller operand stays in registers. A function of its own for each R and V, never inlined:
/// compiled once, and nothing else competes for its registers.
///
/// Two things the compiler must not undo, or it pays more than it saves. Rows are reached from an
/// anchor in every third of them, as an address can hold a pointer plus once or twice a stride: 14
/// pointers would not fit the registers. And a vector of the right operand is loaded once for all
/// rows, not at each use. What they cost stands in benchmarks/TUNING.md.
///
/// Tiles of four vectors ask for the rows of the tile after them, a cache line of each at a time:
/// the processor's own prefetching gives up at the end of each row, which maps larger than the
/// second-level cache would wait for. They also ask for what they will add at their end, and, where
/// they go on from sums that were put down, for those of the tile after them: a residual from
/// memory and the gradients of large weights else cost a wait a tile. Behind the last tile that
/// touches memory nobody needs, and no more. Narrower tiles have neither the registers nor the time
/// for it. They also fetch what multiply() asks for.
template <class T, int R, int V, int C>
[[gnu::noinline]] void tile(std::span<const Strip<T>> strips, Index first, const Sums<T>& sums,
                            const Part& part) {
  constexpr int anchors = (R + 2) / 3;
  constexpr bool ahead = V == 4 && C == 1 && R > 2;
  const char* fetched = part.fetch.from;
  using Tile = Batch<T>[std::size_t{R}][std::size_t{V}];
  Tile chain[std::size_t{C}];
  Tile& sum = chain[0];
  const auto fill = [](Tile& to, const T* row) PIXELRNN_INLINE_LAMBDA {
    unrolled<V>([&](auto v) PIXELRNN_INLINE_LAMBDA {
      const Batch<T> value = row != nullptr ? simd::load(row + v * lanes<T>) : Batch<T>(T{0});
      unrolled<R>([&](auto r) PIXELRNN_INLINE_LAMBDA { to[r][v] = value; });
    });
  };
  if (!sums.start || sums.start.stride == 0) {
    fill(sum, sums.start.data);
  } else {
    const T* from = sums.start[first];
    unrolled<R>([&](auto r) PIXELRNN_INLINE_LAMBDA {
      unrolled<V>([&](auto v)
                      PIXELRNN_INLINE_LAMBDA { sum[r][v] = simd::load(from + v * lanes<T>); });
      from += sums.start.stride;
    });
    if constexpr (ahead) prefetch_rows<R, V>(from, sums.start.stride);
  }
  if constexpr (ahead) {
    if (part.ends && sums.addend) prefetch_rows<R, V>(sums.addend[first], sums.addend.stride);
  }
  for (const Strip<T>& strip : strips) {
    const Index row = strip.a_row, step = strip.a_step, b_step = strip.b_step;
    const T* b = strip.b;
    const T* anchor[std::size_t{anchors}];
    anchor[0] = strip.a + first * row;
    unrolled<anchors - 1>(
        [&](auto i) PIXELRNN_INLINE_LAMBDA { anchor[i + 1] = simd::opaque(anchor[i] + 3 * row); });
    const auto add = [&](Tile& to) PIXELRNN_INLINE_LAMBDA {
      if constexpr (V <= R) {
        Batch<T> right[std::size_t{V}];
        unrolled<V>([&](auto v) PIXELRNN_INLINE_LAMBDA {
          right[v] = simd::opaque(simd::load(b + v * lanes<T>));
        });
        unrolled<R>([&](auto r) PIXELRNN_INLINE_LAMBDA {
          const Batch<T> left(anchor[r / 3][r % 3 * row]);
          unrolled<V>([&](auto v) PIXELRNN_INLINE_LAMBDA {
            to[r][v] = simd::fma(left, right[v], to[r][v]);
          });
        });
      } else {
        Batch<T> left[std::size_t{R}];
        unrolled<R>([&](auto r)
                        PIXELRNN_INLINE_LAMBDA { left[r] = Batch<T>(anchor[r / 3][r % 3 * row]); });
        unrolled<V>([&](auto v) PIXELRNN_INLINE_LAMBDA {
          const Batch<T> right = simd::opaque(simd::load(b + v * lanes<T>));
          unrolled<R>([&](auto r) PIXELRNN_INLINE_LAMBDA {
            to[r][v] = simd::fma(left[r], right, to[r][v]);
          });
        });
      }
      unrolled<anchors>([&](auto i) PIXELRNN_INLINE_LAMBDA { anchor[i] += step; });
      b += b_step;
    };
    Index k = strip.length;
    if constexpr (ahead) {
      constexpr Index line = 64 / static_cast<Index>(sizeof(T));
      for (; k >= line; k -= line) {
        const Index next = R * row;
        unrolled<R>([&](auto r) PIXELRNN_INLINE_LAMBDA {
          __builtin_prefetch(anchor[r / 3] + next + r % 3 * row);
        });
        for (Index i = 0; i < part.fetch.lines; ++i, fetched += 64) {
          __builtin_prefetch(fetched, 0, 2);
        }
        for (Index i = 0; i < line; ++i) add(sum);
      }
    }
    unrolled<C - 1>([&](auto c) PIXELRNN_INLINE_LAMBDA { fill(chain[c + 1], nullptr); });
    for (; k >= C; k -= C) {
      unrolled<C>([&](auto c) PIXELRNN_INLINE_LAMBDA { add(chain[c]); });
    }
    if constexpr (C > 1) {
      if (k > 0) add(sum);
    }
    unrolled<(C - 1) * R>([&](auto r) PIXELRNN_INLINE_LAMBDA {
      unrolled<V>([&](auto v) PIXELRNN_INLINE_LAMBDA {
        sum[r % R][v] = sum[r % R][v] + chain[1 + r / R][r % R][v];
      });
    });
  }
  if (part.ends && sums.addend) {
    const T* from = sums.addend[first];
    unrolled<R>([&](auto r) PIXELRNN_INLINE_LAMBDA {
      unrolled<V>([&](auto v) PIXELRNN_INLINE_LAMBDA {
        sum[r][v] = simd::load(from + v * lanes<T>) + sum[r][v];
      });
      from += sums.addend.stride;
    });
  }
  T* to = sums.out[first];
  unrolled<R>([&](auto r) PIXELRNN_INLINE_LAMBDA {
    unrolled<V>([&](auto v) PIXELRNN_INLINE_LAMBDA { simd::store(to + v * lanes<T>, sum[r][v]); });
    to += sums.out.stride;
  });
}

/// Whether there is a tile of so many rows: not of 7, 9, 11 or 13, which two smaller ones do nearly
/// as fast, and which take long to compile.
[[nodiscard]] constexpr bool has_tile(Index rows) { return rows <= 6 || rows % 2 == 0; }

/// Tiles of V vectors and C chains over [0, rows): the largest, the last two of equal height,
/// because a tile of few rows runs at a fraction of the speed.
template <int V, int C, class T>
void add_products(Index rows, std::span<const Strip<T>> strips, const Sums<T>& sums,
                  Part part = {}) {
  constexpr Index most = max_tile_rows<V, C>;
  static constexpr auto tiles = []<int... R>(std::integer_sequence<int, R...>) {
    return std::array{&tile<T, (has_tile(R + 1) ? R + 1 : 1), V, C>...};
  }
  (std::make_integer_sequence<int, max_tile_rows<V, C>>{});
  const Fetch all = part.fetch;
  Index turns = 0;  // in which a tile fetches
  if (all.lines > 0) {
    for (const Strip<T>& strip : strips) {
      turns += strip.length * static_cast<Index>(sizeof(T)) / 64;
    }
  }
  for (Index first = 0; first < rows;) {
    const Index left = rows - first;
    Index height = left >= 2 * most ? most : (left > most ? (left + 1) / 2 : left);
    while (!has_tile(height)) height = (height + 1) / 2;
    if (turns > 0) {
      const Index from = all.lines * first / rows, to = all.lines * (first + height) / rows;
      part.fetch = {all.from + 64 * from, (to - from + turns - 1) / turns};
    }
    tiles[static_cast<std::size_t>(height - 1)](strips, first, sums, part);
    first += height;
  }
}

/// The first of the columns of a product that keep two chains: the last `columns` mod 32, if they
/// are 16 or fewer. So a column's bits do not depend on how wide a vector is. With 16 lanes these
/// are the tiles of one vector.
[[nodiscard]] constexpr Index two_chains_from(Index columns) {
  const Index rest = columns % 32;
  return rest <= 16 ? columns - rest : columns;
}

/// Splits columns [first, last) into panels, each of 4, 2 or 1 vectors with one or two chains, and
/// calls f.template operator()<V, C>(first_column) for each. `two` is two_chains_from() of all
/// columns, `first` 0 or a multiple of 64, and `last` likewise, or all. Returns where the last
/// panel ends, which is beyond `last` if that one is padded.
template <class T, class F>
PIXELRNN_ALWAYS_INLINE constexpr Index for_each_panel(Index first, Index last, Index two, F&& f) {
  constexpr Index width = lanes<T>;
  static_assert(32 % (2 * width) == 0, "no panel but the last may be padded");
  Index column = first;
  const Index last_of_one = std::min(last, two);
  while (last_of_one - column > 2 * width) {
    f.template operator()<4, 1>(column);
    column += 4 * width;
  }
  if (last_of_one > column) {
    f.template operator()<2, 1>(column);
    column += 2 * width;
  }
  if constexpr (width < 16) {
    constexpr int most = simd::registers >= 32 ? 4 : 2;
    while (last - column > (most == 4 ? 2 : 1) * width) {
      f.template operator()<most, 2>(column);
      column += most * width;
    }
    if constexpr (most == 4) {
      if (last - column > width) {
        f.template operator()<2, 2>(column);
        column += 2 * width;
      }
    }
  }
  if (last > column) {
    f.template operator()<1, 2>(column);
    column += width;
  }
  return column;
}

/// Columns after padding to whole panels.
template <class T>
[[nodiscard]] constexpr Index padded(Index columns) {
  return for_each_panel<T>(0, columns, two_chains_from(columns), []<int V, int C>(Index) {});
}

/// Rows of V vectors in so many bytes.
template <class T, int V>
[[nodiscard]] constexpr Index rows_in(Index bytes) {
  return bytes / (V * lanes<T> * static_cast<Index>(sizeof(T)));
}

/// Whether tiles had better read from the first-level cache: it keeps 32 kB of one operand beside
/// the other, and the second one does not keep up with them. AMD's does.
[[nodiscard]] inline bool first_level_keeps_parts() {
  static const bool keeps = first_level_cache() >= 48 * 1024 && !is_amd();
  return keeps;
}

/// Rows of a panel that a tile goes through before its sums are put down: a part of any
/// second-level cache, of which a tile reads a vector for several multiply-adds; smaller ones put
/// sums down more often. Or a part that stays in the first-level cache. Where sums are cut rounds
/// nothing, except in a tile of two chains, which joins them there: its narrow panels are never
/// cut, so that chains are joined at the end of each term, on every processor.
template <class T, int V, int C>
[[nodiscard]] Index part_rows() {
  if constexpr (C != 1) return rows_in<T, V>(std::numeric_limits<Index>::max());
  return rows_in<T, V>(first_level_keeps_parts() ? tuning::first_level_part
                                                 : tuning::second_level_part);
}

using tuning::cached_values, tuning::max_strips, tuning::stretch_rows;

/// Whether multiply() goes through a panel in one part: then sums.addend may be sums.out.
template <class T, int V, int C>
[[nodiscard]] bool is_one_part(std::span<const Term<T>> terms, Index panel_rows) {
  return panel_rows <= part_rows<T, V, C>() && std::ssize(terms) <= max_strips;
}

/// Σ_terms term·panel for `rows` rows from `first` on; sums.out and sums.addend are the first of
/// them. A panel of more than part_rows is gone through in parts: all rows take one part before
/// any takes the next, and partial sums wait in sums.out, which rounds nothing.
///
/// While the tiles of a part multiply, they fetch the next one, up to `fetched_until` if that is
/// not null: else the first tile of each part waits for memory and the others leave memory idle.
template <int V, int C, class T>
void multiply(Index first, Index rows, std::span<const Term<T>> terms, const T* panel,
              const Sums<T>& sums, const T* fetched_until = nullptr) {
  constexpr Index width = V * lanes<T>;
  Sums<T> later;
  const Sums<T>* now = &sums;
  std::array<Strip<T>, max_strips> strips;
  auto term = terms.begin();
  Index done = 0;  // of *term
  Part part;
  do {
    std::size_t count = 0;
    Index room = part_rows<T, V, C>();
    while (term != terms.end() && room > 0 && count < strips.size()) {
      const Index length = std::min(room, term->length - done);
      strips[count++] = {
          term->data + first * term->stride + done, term->stride, 1, panel, width, length};
      panel += length * width, room -= length, done += length;
      if (done == term->length) ++term, done = 0;
    }
    part.ends = term == terms.end();
    if (fetched_until != nullptr && fetched_until > panel) {
      const Index values = std::min<Index>(fetched_until - panel, part_rows<T, V, C>() * width);
      part.fetch = {reinterpret_cast<const char*>(panel), values * Index{sizeof(T)} / 64};
    } else {
      part.fetch = {};
    }
    add_products<V, C, T>(rows, std::span(strips.data(), count), *now, part);
    if (!part.ends) {
      later = {.start = sums.out, .addend = sums.addend, .out = sums.out};
      now = &later;
    }
  } while (!part.ends);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::kernels::detail
