// SPDX-License-Identifier: MIT
#include <algorithm>
#include <type_traits>
#include <vector>

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

template <int V>
void check_tiles() {
  for (Index rows = 0; rows <= 60; ++rows) {
    std::vector<Part> tiles;
    Index smallest = rows, largest = 0;
    tiles::for_each_tile<V>(rows, [&]<int R>(Index first) {
      tiles.push_back({first, R});
      smallest = std::min<Index>(smallest, R);
      largest = std::max<Index>(largest, R);
    });
    CAPTURE(V, rows);
    CHECK(is_partition(tiles, rows));
    CHECK(largest <= tiles::max_tile_rows<V>);
    // Wide tiles, where the work is, are as even as they come.
    if (V == 4 && rows > 0) CHECK(largest - smallest <= 1);
  }
}

}  // namespace

TEST_CASE("Tiles cover every row once, and wide ones are nearly equal", "[kernels][tile]") {
  check_tiles<1>();
  check_tiles<2>();
  check_tiles<4>();
}

TEMPLATE_TEST_CASE("Panels cover every column once, and at most their padding more",
                   "[kernels][tile]", float, double) {
  constexpr Index width = simd::lanes<TestType>;
  for (Index columns = 0; columns <= 10 * width + 1; ++columns) {
    std::vector<Part> panels;
    tiles::for_each_panel<TestType>(columns, [&]<int V>(Index first) {
      panels.push_back({first, V * width});
    });
    CAPTURE(columns);
    CHECK(is_partition(panels, tiles::padded<TestType>(columns)));
    CHECK(tiles::padded<TestType>(columns) - columns < width);
  }
}

TEMPLATE_TEST_CASE("A tile needs no more registers than there are", "[kernels][tile]", float,
                   double) {
  const auto needed = []<int V>(std::integral_constant<int, V>) {
    constexpr int rows = tiles::max_tile_rows<V>;
    return rows * V + std::min(rows, V) + 1;
  };
  CHECK(needed(std::integral_constant<int, 1>()) <= simd::registers);
  CHECK(needed(std::integral_constant<int, 2>()) <= simd::registers);
  CHECK(needed(std::integral_constant<int, 4>()) <= simd::registers);
}

TEMPLATE_TEST_CASE("A tile sums products of any stride in order of k", "[kernels][tile]", float,
                   double) {
  using T = TestType;
  constexpr int R = 3, V = 2;
  constexpr Index width = simd::lanes<T>, length = 4, row_stride = 5, step = 2;
  constexpr Index b_stride = V * width + 1;
  std::vector<T> a(R * row_stride + length * step), b(length * b_stride);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<T>(i % 7) - T{3};
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<T>(i % 11) - T{5};
  tiles::Tile<T, R, V> tile;
  tile.accumulate(a.data(), row_stride, step, b.data(), b_stride, length);
  for (Index r = 0; r < R; ++r) {
    for (Index n = 0; n < V * width; ++n) {
      T expected{0};
      for (Index k = 0; k < length; ++k) {
        expected += a[static_cast<std::size_t>(r * row_stride + k * step)] *
                    b[static_cast<std::size_t>(k * b_stride + n)];
      }
      std::vector<T> got(static_cast<std::size_t>(width));
      simd::store(got.data(), tile.sum[r][n / width]);
      CHECK(got[static_cast<std::size_t>(n % width)] == expected);
    }
  }
}
