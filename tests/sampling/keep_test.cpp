// SPDX-License-Identifier: MIT
#include <limits>
#include <string>

#include <pixelrnn/sampling/keep.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

/// The kept pixels of a 3 × 5 image as '#', row by row.
template <class Keep>
std::string picture(const Keep& keep) {
  std::string text;
  for (Index r = 0; r < 3; ++r) {
    for (Index j = 0; j < 5; ++j) text += keep.keeps(r, j) ? '#' : '.';
    text += ' ';
  }
  return text;
}

constexpr ImageShape wide{3, 5, 1};

}  // namespace

TEST_CASE("KeepRows keeps the first rows", "[sampling][keep]") {
  CHECK(picture(KeepRows{0}) == "..... ..... ..... ");
  CHECK(picture(KeepRows{2}) == "##### ##### ..... ");
  CHECK_NOTHROW(KeepRows{3}.check(wide));
  CHECK_THROWS_ERROR(KeepRows{4}.check(wide), ConfigError,
                     "KeepRows: rows is 4, expected 0 to 3 for images 3x5x1");
  CHECK_THROWS_ERROR(KeepRows{-1}.check(wide), ConfigError, "KeepRows: rows is -1");
}

TEST_CASE("KeepBox keeps a box, or everything but it", "[sampling][keep]") {
  CHECK(picture(KeepBox{1, 2, 2, 3}) == "..... ..### ..### ");
  CHECK(picture(KeepBox{1, 2, 2, 3, false}) == "##### ##... ##... ");
  CHECK(picture(KeepBox{0, 0, 0, 5}) == "..... ..... ..... ");
  CHECK_NOTHROW(KeepBox{0, 0, 3, 5}.check(wide));
  CHECK_NOTHROW(KeepBox{3, 5, 0, 0}.check(wide));
  CHECK_THROWS_ERROR((KeepBox{1, 2, 3, 1}.check(wide)), ConfigError,
                     "KeepBox: {top=1, left=2, height=3, width=1} leaves images 3x5x1, expected "
                     "numbers from 0 on, top + height up to 3 and left + width up to 5");
  CHECK_THROWS_AS((KeepBox{1, 2, 2, 4}.check(wide)), ConfigError);
  CHECK_THROWS_AS((KeepBox{-1, 2, 1, 1}.check(wide)), ConfigError);
  CHECK_THROWS_AS((KeepBox{0, 0, 1, -1}.check(wide)), ConfigError);
  constexpr Index huge = std::numeric_limits<Index>::max();
  CHECK_THROWS_AS((KeepBox{1, 1, huge, 1}.check(wide)), ConfigError);
  CHECK_THROWS_AS((KeepBox{huge, huge, huge, huge}.check(wide)), ConfigError);
}

TEST_CASE("KeepAlternate keeps a chessboard", "[sampling][keep]") {
  CHECK(picture(KeepAlternate{}) == "#.#.# .#.#. #.#.# ");
  CHECK_NOTHROW(KeepAlternate{}.check({1, 1, 3}));
}

TEST_CASE("KeepMask keeps what is not 0", "[sampling][keep]") {
  KeepMask keep{Tensor<unsigned char, 2>({3, 5})};
  keep.mask(0, 4) = 1;
  keep.mask(2, 0) = 255;
  CHECK(picture(keep) == "....# ..... #.... ");
  CHECK_NOTHROW(keep.check(wide));
  CHECK_THROWS_ERROR(keep.check({5, 3, 1}), ShapeError,
                     "KeepMask: mask is (3, 5), expected (5, 3) for images 5x3x1");
}

TEST_CASE("A keep policy is told by keeps and check", "[sampling][keep]") {
  struct Diagonal {
    [[nodiscard]] bool keeps(Index row, Index column) const { return row == column; }
    void check(const ImageShape&) const {}
  };
  STATIC_REQUIRE(KeepPolicy<Diagonal>);
  STATIC_REQUIRE_FALSE(KeepPolicy<int>);
  CHECK(picture(Diagonal{}) == "#.... .#... ..#.. ");
}
