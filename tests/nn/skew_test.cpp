// SPDX-License-Identifier: MIT
#include <algorithm>
#include <vector>

#include <pixelrnn/nn/diagonal_lstm/skew.hpp>

#include "support/catch.hpp"
#include "support/compare.hpp"
#include "support/naive.hpp"
#include "support/random.hpp"

using namespace pixelrnn;
using test::bit_difference, test::random_map;
namespace naive = test::naive;

namespace {

const std::vector<Shape<4>> shapes{{1, 1, 1, 1}, {2, 1, 5, 3}, {2, 4, 1, 2}, {3, 4, 7, 2},
                                   {2, 7, 4, 1}, {1, 6, 6, 3}, {0, 3, 4, 2}};

}  // namespace

TEST_CASE("Skewing a small map by hand", "[nn][skew]") {
  FeatureMap<int> x({1, 3, 2, 1});
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<int>(i) + 1;
  const FeatureMap<int> skewed = skew(x.view());
  CHECK(skewed.shape() == Shape<4>{1, 3, 4, 1});
  const int expected[] = {1, 2, 0, 0,  //
                          0, 3, 4, 0,  //
                          0, 0, 5, 6};
  CHECK(std::equal(skewed.begin(), skewed.end(), std::begin(expected)));
}

TEST_CASE("Skew, mirror and shift are the loops of the definition", "[nn][skew]") {
  for (const Shape<4>& shape : shapes) {
    CAPTURE(shape);
    const FeatureMap<double> x = random_map<double>(shape, 1);
    CHECK(bit_difference(skew(x.view()), naive::skew(x)) == "");
    CHECK(bit_difference(mirror(x.view()), naive::mirror(x)) == "");
    CHECK(bit_difference(shift_down(x.view()), naive::shift_down(x)) == "");
  }
}

TEST_CASE("Unskewing undoes skewing, whatever the padding holds", "[nn][skew]") {
  for (const Shape<4>& shape : shapes) {
    CAPTURE(shape);
    const FeatureMap<float> x = random_map<float>(shape, 2);
    FeatureMap<float> skewed = skew(x.view());
    CHECK(bit_difference(unskew(skewed.view(), shape.w()), x) == "");
    for (Index n = 0; n < shape.n(); ++n) {
      for (Index r = 0; r < shape.h(); ++r) {
        for (Index t = 0; t < skewed.shape().w(); ++t) {
          if (t < r || t >= r + shape.w()) skewed(n, r, t, 0) = 99;
        }
      }
    }
    CHECK(bit_difference(unskew(skewed.view(), shape.w()), x) == "");
  }
}

TEST_CASE("Mirroring twice gives the map back", "[nn][skew]") {
  for (const Shape<4>& shape : shapes) {
    const FeatureMap<double> x = random_map<double>(shape, 3);
    CHECK(bit_difference(mirror(mirror(x.view()).view()), x) == "");
  }
}

TEST_CASE("Shifting down as often as there are rows leaves nothing", "[nn][skew]") {
  FeatureMap<double> x = random_map<double>({2, 3, 2, 2}, 4);
  for (int row = 0; row < 3; ++row) {
    CHECK(std::any_of(x.begin(), x.end(), [](double v) { return v != 0; }));
    x = shift_down(x.view());
  }
  CHECK(std::all_of(x.begin(), x.end(), [](double v) { return v == 0; }));
}

TEST_CASE("Maps without rows or columns are skewed to what they are", "[nn][skew]") {
  CHECK(skew(FeatureMap<float>({2, 0, 0, 1}).view()).shape() == Shape<4>{2, 0, 0, 1});
  CHECK(skew(FeatureMap<float>({2, 0, 4, 1}).view()).shape() == Shape<4>{2, 0, 3, 1});
  const FeatureMap<float> no_columns = skew(FeatureMap<float>({2, 4, 0, 1}).view());
  CHECK(no_columns.shape() == Shape<4>{2, 4, 3, 1});
  CHECK(unskew(no_columns.view(), 0).shape() == Shape<4>{2, 4, 0, 1});
}

TEST_CASE("Unskew names the shape and the width that do not agree", "[nn][skew]") {
  const FeatureMap<float> skewed({2, 3, 6, 1});
  CHECK_NOTHROW(unskew(skewed.view(), 4));
  CHECK_THROWS_ERROR(unskew(skewed.view(), 3), ShapeError,
                     "unskew: the skewed map is (N=2, H=3, W=6, C=1) and width is 3, expected W = "
                     "H + width - 1");
  CHECK_THROWS_ERROR(unskew(skewed.view(), 5), ShapeError, "width is 5");
  CHECK_THROWS_ERROR(unskew(FeatureMap<float>({1, 3, 1, 1}).view(), -1), ShapeError, "width is -1");
}
