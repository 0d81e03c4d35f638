// SPDX-License-Identifier: MIT
#include <span>
#include <vector>

#include <pixelrnn/kernels/outer_products.hpp>

#include "support/catch.hpp"
#include "support/kernel_cases.hpp"

using namespace pixelrnn;
namespace tiles = pixelrnn::kernels::detail;
using test::GuardedMatrix, test::Numbers, test::OverlappingRows, test::Source;

namespace {

/// Each sum as one chain of multiply-adds: rows of the pairs in order, from what out holds.
template <class T>
void add_in_order(const OverlappingRows<T>& a, const OverlappingRows<T>& b, GuardedMatrix<T>& out) {
  for (Index m = 0; m < a.shape.columns; ++m) {
    for (Index n = 0; n < b.shape.columns; ++n) {
      simd::Batch<T> sum(out(m, n));
      for (Index i = 0; i < a.blocks; ++i) {
        for (Index r = 0; r < a.rows_of(i); ++r) {
          sum = simd::fma(simd::Batch<T>(a(i, r, m)), simd::Batch<T>(b(i, r, n)), sum);
        }
      }
      T values[simd::lanes<T>];
      simd::store(values, sum);
      out(m, n) = values[0];
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE(
    "Where a tile of one vector would join its chains, parts are cut alike everywhere",
    "[kernels][outer_products]", float, double) {
  constexpr Index vector = simd::lanes<TestType>;
  for (const Index vectors : {1, 3, 5, 7}) {
    CHECK_FALSE(tiles::reads_in_place<TestType>(vectors * vector));
    CHECK_FALSE(tiles::reads_in_place<TestType>((vectors + 1) * vector + 1));
  }
  // Why: the bits do depend on it.
  Source<TestType> source(Numbers::real, 6);
  const OverlappingRows<TestType> a(1, tiles::outer_rows<TestType> - 1, 40, source);
  const OverlappingRows<TestType> b(1, tiles::outer_rows<TestType> - 1, vector, source);
  const auto sums = [&](Index first) {
    GuardedMatrix<TestType> out(40, vector);
    for (Index m = 0; m < 40; ++m) {
      for (Index n = 0; n < vector; ++n) out(m, n) = 0;
    }
    const std::vector<kernels::RowPairs<TestType>> pairs{
        {a.block(0), b.block(0), first},
        {a.block(0) + first * a.shape.stride, b.block(0) + first * b.shape.stride, a.rows - first}};
    for (const auto& pair : pairs) {
      tiles::add_outer_products(std::span<const kernels::RowPairs<TestType>>(&pair, 1), a.shape,
                                b.shape, out.rows(), false);
    }
    return out.values();
  };
  CHECK((sums(11) != sums(50)));
}

TEMPLATE_TEST_CASE("Sums of outer products are one chain each, wherever parts are cut",
                   "[kernels][outer_products]", float, double) {
  constexpr Index vector = simd::lanes<TestType>;
  struct Case {
    Index blocks, rows, m, n;
  };
  // More rows than a part of either way, more blocks than a part; columns enough to be copied, of
  // both or of b only; panels of four vectors and of two.
  for (const Case& c :
       {Case{1, tiles::outer_rows_in_place<TestType> + 30, 70, 2 * vector},
        Case{2, tiles::outer_rows<TestType> + 3, 9, 6 * vector}, Case{40, 45, 67, 4 * vector},
        Case{1, 150, tiles::copying_a_pays<TestType> + 1, 6 * vector}}) {
    Source<TestType> source(Numbers::real, 6);
    const OverlappingRows<TestType> a(c.blocks, c.rows, c.m, source);
    const OverlappingRows<TestType> b(c.blocks, c.rows, c.n, source);
    const GuardedMatrix<TestType> before(c.m, c.n, source);
    GuardedMatrix<TestType> expected(before);
    add_in_order(a, b, expected);
    std::vector<kernels::RowPairs<TestType>> pairs;
    for (Index i = 0; i < c.blocks; ++i) pairs.push_back({a.block(i), b.block(i), a.rows_of(i)});
    for (const bool in_place : {false, true}) {
      GuardedMatrix<TestType> out(before);
      tiles::add_outer_products(std::span<const kernels::RowPairs<TestType>>(pairs), a.shape,
                                b.shape, out.rows(), in_place);
      CAPTURE(c.blocks, c.rows, c.m, c.n, in_place);
      CHECK((out.values() == expected.values()));
      CHECK(out.is_intact());
      // The control: another order of the same rows is found.
      std::vector<kernels::RowPairs<TestType>> turned;
      for (auto pair = pairs.rbegin(); pair != pairs.rend(); ++pair) {
        for (Index r = pair->rows - 1; r >= 0; --r) {
          turned.push_back({pair->a + r * a.shape.stride, pair->b + r * b.shape.stride, 1});
        }
      }
      GuardedMatrix<TestType> other(before);
      tiles::add_outer_products(std::span<const kernels::RowPairs<TestType>>(turned), a.shape,
                                b.shape, other.rows(), in_place);
      CHECK((other.values() != expected.values()));
    }
  }
}
