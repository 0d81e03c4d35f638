// SPDX-License-Identifier: MIT
#include <algorithm>
#include <type_traits>
#include <vector>

#include <pixelrnn/core/random.hpp>
#include <pixelrnn/kernels/tile.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;
namespace tiles = pixelrnn::kernels::detail;

namespace {

struct Part {
  Index first, size;
};

/// Whether the parts cover [0, count) in order, each value once.
bool is_partition(const std::vector<Part>& parts, Index count) {
  Index next = 0;
  for (const Part& part : parts) {
    if (part.first != next || part.size < 1) return false;
    next += part.size;
  }
  return next == count;
}

}  // namespace

TEMPLATE_TEST_CASE("Panels cover every column once, and only the last one is padded",
                   "[kernels][tile]", float, double) {
  constexpr Index width = simd::lanes<TestType>;
  for (Index columns = 0; columns <= 200; ++columns) {
    for (Index first = 0; first <= columns; first += 64) {
      for (Index last = first; last <= columns; last = last + 64 <= columns ? last + 64 : columns) {
        std::vector<Part> panels;
        const Index end = tiles::for_each_panel<TestType>(
            first, last, tiles::two_chains_from(columns), [&]<int V, int C>(Index column) {
              panels.push_back({column - first, V * width});
            });
        CAPTURE(columns, first, last);
        CHECK(is_partition(panels, end - first));
        CHECK(end >= last);
        if (last == columns) {
          CHECK(end == tiles::padded<TestType>(columns));
          break;
        }
        CHECK(end == last);
      }
    }
    CHECK(tiles::padded<TestType>(columns) - columns < 2 * width);
  }
}

TEMPLATE_TEST_CASE("A column has as many chains whatever the vectors: two at the end of few",
                   "[kernels][tile]", float, double) {
  for (Index columns = 1; columns <= 200; ++columns) {
    const bool has_two = columns % 32 >= 1 && columns % 32 <= 16;
    Index wrong = 0;
    tiles::for_each_panel<TestType>(
        0, columns, tiles::two_chains_from(columns), [&]<int V, int C>(Index first) {
          const Index last = std::min(columns, first + V * simd::lanes<TestType>);
          for (Index column = first; column < last; ++column) {
            if (C != (has_two && column >= columns / 32 * 32 ? 2 : 1)) ++wrong;
          }
        });
    CAPTURE(columns);
    CHECK(wrong == 0);
  }
}

namespace {

/// A kind of tile.
template <int V, int C>
struct Tile {
  static constexpr int vectors = V, chains = C;
};
/// Calls check(tile) for every kind of tile.
template <class F>
void for_each_tile(F check) {
  check(Tile<4, 1>());
  check(Tile<2, 1>());
  check(Tile<4, 2>());
  check(Tile<2, 2>());
  check(Tile<1, 2>());
}

}  // namespace

TEST_CASE("A tile needs no more registers than there are", "[kernels][tile]") {
  for_each_tile([]<int V, int C>(Tile<V, C>) {
    CAPTURE(V, C);
    constexpr int rows = tiles::max_tile_rows<V, C>;
    CHECK(tiles::has_tile(rows));
    CHECK(rows * V * C >= 8);
    CHECK(rows * V * C + std::min(rows, V) + 1 <= simd::registers);
  });
}

namespace {

/// Small whole numbers, so that every sum is exact in any order.
template <class T>
std::vector<T> numbers(Index count, Index period) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (Index i = 0; i < count; ++i) {
    values[static_cast<std::size_t>(i)] = static_cast<T>(i % period - period / 2);
  }
  return values;
}

/// Two strips of any stride, a start for all rows or each, and an addend, for every number of rows
/// that makes other tiles.
template <class T, int V, int C>
void check_products() {
  constexpr Index width = V * simd::lanes<T>, rows = 2 * tiles::max_tile_rows<V, C> + 3;
  constexpr Index a_row = 13, a_step = 2, b_step = width + 1, out_row = width + 3;
  const auto a = numbers<T>(rows * a_row + 8, 7), b = numbers<T>(9 * b_step, 11);
  const auto start = numbers<T>(rows * width, 5), addend = numbers<T>(rows * width, 13);
  const std::vector<tiles::Strip<T>> strips{
      {a.data(), a_row, a_step, b.data(), b_step, 4},
      {a.data() + 1, a_row, 1, b.data() + 4 * b_step, b_step, 5}};
  for (Index count = 0; count <= 2 * rows; ++count) {
    const Index used = count % (rows + 1), stride = count <= rows ? 0 : width;
    std::vector<T> out(static_cast<std::size_t>(rows * out_row), T{-99});
    tiles::add_products<V, C, T>(used, strips,
                                 {.start = {start.data(), stride},
                                  .addend = {addend.data(), width},
                                  .out = {out.data(), out_row}});
    Index wrong = 0;
    for (Index r = 0; r < rows; ++r) {
      for (Index n = 0; n < out_row; ++n) {
        T expected{-99};
        if (r < used && n < width) {
          expected = start[static_cast<std::size_t>(r * stride + n)] +
                     addend[static_cast<std::size_t>(r * width + n)];
          for (const tiles::Strip<T>& s : strips) {
            for (Index k = 0; k < s.length; ++k) {
              expected += s.a[r * s.a_row + k * s.a_step] * s.b[k * s.b_step + n];
            }
          }
        }
        if (out[static_cast<std::size_t>(r * out_row + n)] != expected) ++wrong;
      }
    }
    CAPTURE(V, C, used, stride);
    CHECK(wrong == 0);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("Tiles sum strips of any stride onto start and addend, and touch nothing else",
                   "[kernels][tile]", float, double) {
  for_each_tile([]<int V, int C>(Tile<V, C>) { check_products<TestType, V, C>(); });
}

namespace {

/// More terms than a tile takes at once and a panel of several parts, with and without fetching
/// what is next: all of it, up to within a part, past the end of a part.
template <class T, int V, int C>
void check_parts() {
  constexpr Index width = V * simd::lanes<T>, rows = 15, first = 2;
  // One of the terms is longer than a part, one empty.
  const Index longest =
      2 * std::min(tiles::part_rows<T, V, C>(), tiles::rows_in<T, V>(128 * 1024)) + 3;
  std::vector<Index> lengths(static_cast<std::size_t>(tiles::max_strips + 5), 2);
  lengths[1] = longest, lengths[3] = 0;
  Index total = 0;
  for (const Index length : lengths) total += length;
  const auto a = numbers<T>((first + rows) * total, 5), panel = numbers<T>(total * width, 3);
  std::vector<kernels::Term<T>> terms;
  Index offset = 0;
  for (const Index length : lengths) {
    terms.push_back({a.data() + offset, total, length});
    offset += length;
  }
  std::vector<T> expected(static_cast<std::size_t>(rows * width));
  for (Index r = 0; r < rows; ++r) {
    for (Index k = 0; k < total; ++k) {
      for (Index n = 0; n < width; ++n) {
        expected[static_cast<std::size_t>(r * width + n)] +=
            a[static_cast<std::size_t>((first + r) * total + k)] *
            panel[static_cast<std::size_t>(k * width + n)];
      }
    }
  }
  const T* const begin = panel.data();
  for (const T* fetched_until : {static_cast<const T*>(nullptr), begin + total * width,
                                 begin + longest / 2 * width + 5, begin + 1}) {
    std::vector<T> out(expected.size());
    tiles::multiply<V, C, T>(first, rows, terms, begin, {.out = {out.data(), width}},
                             fetched_until);
    CAPTURE(V, C, fetched_until != nullptr ? fetched_until - begin : -1);
    CHECK(out == expected);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("A product in parts is the product: long panels, many terms", "[kernels][tile]",
                   float, double) {
  for_each_tile([]<int V, int C>(Tile<V, C>) { check_parts<TestType, V, C>(); });
}

namespace {

/// K random values a row in strips of `strip`, whose sums are put down after every `part` values.
template <class T, int V, int C>
std::vector<T> in_parts_of(Index part, Index strip, Index length = 97, Index rows = 9) {
  constexpr Index width = V * simd::lanes<T>;
  Rng rng(1);
  std::vector<T> a(static_cast<std::size_t>(rows * length));
  std::vector<T> b(static_cast<std::size_t>(length * width));
  for (auto* values : {&a, &b}) {
    for (T& v : *values) v = static_cast<T>(rng.uniform() - 0.5);
  }
  std::vector<T> out(static_cast<std::size_t>(rows * width));
  const kernels::Rows<T> sums{out.data(), width};
  for (Index done = 0; done < length; done += part) {
    std::vector<tiles::Strip<T>> strips;
    for (Index k = done, last = std::min(length, done + part); k < last; k += strip) {
      strips.push_back(
          {a.data() + k, length, 1, b.data() + k * width, width, std::min(strip, last - k)});
    }
    tiles::add_products<V, C, T>(rows, strips, {.start = sums, .out = sums},
                                 {.ends = done + part >= length});
  }
  return out;
}

}  // namespace

TEMPLATE_TEST_CASE("Where sums are cut rounds nothing: anywhere, or with two chains between strips",
                   "[kernels][tile]", float, double) {
  using T = TestType;
  const auto same = []<int V, int C>(Tile<V, C>, Index part, Index strip) {
    return in_parts_of<T, V, C>(part, strip) == in_parts_of<T, V, C>(97, strip);
  };
  for (const Index part : {1, 7, 32, 96}) {
    for_each_tile([&]<int V, int C>(Tile<V, C> tile) {
      CAPTURE(part, V, C);
      CHECK(same(tile, part, C == 1 ? 97 : part));
    });
  }
  // Tiles of two chains must not be cut within a strip, and it does matter.
  CHECK(tiles::part_rows<T, 1, 2>() > Index{1} << 40);
  CHECK_FALSE(same(Tile<1, 2>(), 32, 97));
}
