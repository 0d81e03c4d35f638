// SPDX-License-Identifier: MIT
#include <limits>
#include <sstream>
#include <string>
#include <type_traits>

#include <pixelrnn/core/shape.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

template <class T>
std::string printed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

}  // namespace

TEST_CASE("Index is signed, so that differences of positions are ordinary", "[core][shape]") {
  STATIC_REQUIRE(std::is_signed_v<Index>);
}

TEST_CASE("A shape counts its elements, and can do so at compile time", "[core][shape]") {
  STATIC_REQUIRE(Shape<4>{2, 3, 5, 7}.count() == 210);
  STATIC_REQUIRE(Shape<3>{2, 0, 5}.count() == 0);
  STATIC_REQUIRE(Shape<0>{}.count() == 1);
  STATIC_REQUIRE(Shape<2>{}.count() == 0);
}

TEST_CASE("The axes of a feature map are called n, h, w and c", "[core][shape]") {
  constexpr Shape<4> shape{2, 3, 5, 7};
  STATIC_REQUIRE(shape.n() == 2);
  STATIC_REQUIRE(shape.h() == 3);
  STATIC_REQUIRE(shape.w() == 5);
  STATIC_REQUIRE(shape.c() == 7);
  STATIC_REQUIRE(shape[1] == shape.h());
  STATIC_REQUIRE(shape.with_channels(11) == Shape<4>{2, 3, 5, 11});
}

TEST_CASE("Shapes are equal if every extent is, and extents can be set", "[core][shape]") {
  Shape<2> shape{2, 3};
  CHECK(shape == Shape<2>{2, 3});
  CHECK(shape != Shape<2>{3, 2});
  shape[1] = 4;
  CHECK(shape == Shape<2>{2, 4});
}

TEST_CASE("A shape takes exactly one extent an axis, each of them a number", "[core][shape]") {
  STATIC_REQUIRE(std::is_constructible_v<Shape<2>, int, Index>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<Shape<2>, int>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<Shape<2>, int, int, int>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<Shape<2>, int, const char*>);
}

TEST_CASE("A shape of rank 4 prints its axes by letter, others only their extents",
          "[core][shape]") {
  CHECK(printed(Shape<4>{16, 28, 27, 1}) == "(N=16, H=28, W=27, C=1)");
  CHECK(printed(Shape<2>{2, 3}) == "(2, 3)");
  CHECK(printed(Shape<1>{5}) == "(5)");
}

TEST_CASE("require_valid refuses negative extents and counts that overflow", "[core][shape]") {
  constexpr Index most = std::numeric_limits<Index>::max();
  CHECK_NOTHROW(require_valid(Shape<2>{0, 3}, "here"));
  CHECK_NOTHROW(require_valid(Shape<2>{most, 1}, "here"));
  CHECK_THROWS_ERROR(require_valid(Shape<2>{2, -3}, "here"), ConfigError,
                     "here: shape is (2, -3), expected extents of 0 or more");
  CHECK_THROWS_ERROR(require_valid(Shape<2>{most, 2}, "here"), ConfigError,
                     "more elements than Index counts");
}

TEST_CASE("require_valid refuses what overflows even if a later extent is 0", "[core][shape]") {
  constexpr Index most = std::numeric_limits<Index>::max();
  CHECK_THROWS_AS(require_valid(Shape<3>{most, 2, 0}, "here"), ConfigError);
}

TEST_CASE("An image shape counts pixels and sub-pixels", "[core][shape]") {
  constexpr ImageShape image{2, 3, 5};
  STATIC_REQUIRE(image.pixels() == 6);
  STATIC_REQUIRE(image.subpixels() == 30);
  STATIC_REQUIRE(ImageShape{2, 3} == ImageShape{2, 3, 1});
  STATIC_REQUIRE(ImageShape{2, 3} != ImageShape{3, 2});
  CHECK(printed(image) == "2x3x5");
}

TEST_CASE("require_valid refuses an image without height, width or channels", "[core][shape]") {
  CHECK_NOTHROW(require_valid(ImageShape{1, 1, 1}, "Model"));
  CHECK_THROWS_ERROR(require_valid(ImageShape{0, 2, 1}, "Model"), ConfigError,
                     "Model: image is 0x2x1 (height x width x channels), expected 1 or more");
  CHECK_THROWS_AS(require_valid(ImageShape{2, 0, 1}, "Model"), ConfigError);
  CHECK_THROWS_AS(require_valid(ImageShape{2, 2, 0}, "Model"), ConfigError);
  CHECK_THROWS_AS(require_valid(ImageShape{2, -2, 1}, "Model"), ConfigError);
  constexpr Index most = std::numeric_limits<Index>::max();
  CHECK_THROWS_ERROR(require_valid(ImageShape{most, 2, 1}, "Model"), ConfigError,
                     "more elements than Index counts");
}
