// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <numeric>
#include <utility>
#include <vector>

#include <pixelrnn/core/images.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

namespace {

using Level = Images::Level;

/// Images whose elements are 0, 1, 2, ... in memory order.
Images counting(Index count, ImageShape image) {
  Tensor<Level, 4> pixels({count, image.height, image.width, image.channels});
  std::iota(pixels.begin(), pixels.end(), Level{0});
  return {std::move(pixels), 256, "as they come"};
}

}  // namespace

TEST_CASE("Images know their number, size, levels and binarisation", "[core][images]") {
  const Images images(5, {4, 3, 2}, 16, "threshold 8");
  CHECK(images.count() == 5);
  CHECK(images.image_shape() == ImageShape{4, 3, 2});
  CHECK(images.levels() == 16);
  CHECK(images.binarization() == "threshold 8");
  CHECK_FALSE(images.empty());
  CHECK(images.pixels().shape() == Shape<4>{5, 4, 3, 2});
  CHECK(std::count(images.pixels().begin(), images.pixels().end(), Level{0}) == 5 * 4 * 3 * 2);
}

TEST_CASE("Default images are none, of 256 levels", "[core][images]") {
  const Images images;
  CHECK(images.empty());
  CHECK(images.count() == 0);
  CHECK(images.levels() == 256);
  CHECK(images.binarization() == "none");
}

TEST_CASE("Images need 2 to 65536 levels", "[core][images]") {
  CHECK_NOTHROW(Images(1, {2, 2, 1}, 2));
  CHECK_NOTHROW(Images(1, {2, 2, 1}, 65536));
  CHECK_THROWS_ERROR(Images(1, {2, 2, 1}, 1), ConfigError, "levels is 1, expected 2 to 65536");
  CHECK_THROWS_ERROR(Images(1, {2, 2, 1}, 65537), ConfigError,
                     "levels is 65537, expected 2 to 65536");
}

TEST_CASE("Images refuse a pixel that is no level, and say which", "[core][images]") {
  Tensor<Level, 4> pixels({1, 2, 2, 1});
  pixels(0, 1, 0, 0) = 3;
  CHECK_NOTHROW(Images(pixels, 4));
  CHECK_THROWS_ERROR(Images(pixels, 3), ValueError, "element 2 is 3, expected 0 to 2 (levels = 3)");
}

TEST_CASE("Images refuse a size that cannot be", "[core][images]") {
  CHECK_THROWS_AS(Images(-1, {2, 2, 1}, 2), ConfigError);
  CHECK_THROWS_AS(Images(1, {2, -2, 1}, 2), ConfigError);
}

TEST_CASE("An image is a view of the pixels, readable and writable", "[core][images]") {
  Images images = counting(3, {2, 3, 1});
  const Images& read_only = images;
  CHECK(read_only[2].shape() == Shape<3>{2, 3, 1});
  CHECK(read_only[2](1, 2, 0) == 17);
  images[1](0, 0, 0) = 99;
  CHECK(read_only.pixels()(1, 0, 0, 0) == 99);
}

TEST_CASE("first and slice copy a run of images and keep what is known about them",
          "[core][images]") {
  Images images = counting(5, {2, 2, 1});
  const Images middle = images.slice(1, 3);
  CHECK(middle.count() == 3);
  CHECK(middle[0](0, 0, 0) == 4);
  CHECK(middle.levels() == 256);
  CHECK(middle.binarization() == "as they come");
  CHECK(images.first(2).count() == 2);
  CHECK(images.first(0).empty());

  images[1](0, 0, 0) = 200;
  CHECK(middle[0](0, 0, 0) == 4);
}

TEST_CASE("slice refuses images that are not there", "[core][images]") {
  const Images images(5, {2, 2, 1}, 2);
  CHECK_THROWS_ERROR(images.slice(3, 3), ShapeError, "[3, 6) leaves the outermost axis");
  CHECK_THROWS_AS(images.first(6), ShapeError);
  CHECK_THROWS_AS(images.slice(-1, 1), ShapeError);
}

TEST_CASE("select copies the named images in that order, also twice", "[core][images]") {
  const Images images = counting(4, {1, 2, 1});
  const std::vector<Index> wanted{3, 0, 3};
  const Images chosen = images.select(wanted);
  CHECK(chosen.count() == 3);
  CHECK(chosen[0](0, 0, 0) == 6);
  CHECK(chosen[1](0, 1, 0) == 1);
  CHECK(chosen[2](0, 1, 0) == 7);
  CHECK(chosen.binarization() == "as they come");
  CHECK(images.select({}).empty());
}

TEST_CASE("select refuses an index that is not there", "[core][images]") {
  const Images images(4, {1, 2, 1}, 2);
  const std::array<Index, 2> too_far{0, 4}, negative{0, -1};
  CHECK_THROWS_AS(images.select(too_far), ShapeError);
  CHECK_THROWS_AS(images.select(negative), ShapeError);
}

TEST_CASE("Images have a label each, or none", "[core][images]") {
  Images images = counting(3, {1, 2, 1});
  CHECK(images.labels().empty());
  images.set_labels({7, 0, 1000});
  CHECK(images.labels() == std::vector<int>{7, 0, 1000});
  CHECK_THROWS_ERROR(images.set_labels({1, 2}), ShapeError,
                     "Images::set_labels: there are 2 labels, expected 3, one an image");
  CHECK_THROWS_ERROR(images.set_labels({1, 2, 3, 4}), ShapeError, "4 labels, expected 3");
  CHECK_THROWS_ERROR(images.set_labels({1, -2, 3}), ValueError,
                     "label 1 is -2, expected 0 or more");
  CHECK(images.labels() == std::vector<int>{7, 0, 1000});  // what was refused changed nothing
  images.set_labels({});
  CHECK(images.labels().empty());
}

TEST_CASE("Labels follow their images into every part", "[core][images]") {
  Images images = counting(4, {1, 2, 1});
  images.set_labels({10, 11, 12, 13});
  CHECK(images.slice(1, 2).labels() == std::vector<int>{11, 12});
  CHECK(images.first(3).labels() == std::vector<int>{10, 11, 12});
  CHECK(images.first(0).labels().empty());
  const std::vector<Index> wanted{3, 0, 3};
  CHECK(images.select(wanted).labels() == std::vector<int>{13, 10, 13});
  CHECK(Images(images).labels() == images.labels());
  CHECK(grid(images).labels().empty());
}

TEST_CASE("grid lays images out by rows with a gap of the middle level", "[core][images]") {
  const Images images = counting(3, {2, 2, 1});
  const Images whole = grid(images, 2);
  CHECK(whole.count() == 1);
  CHECK(whole.levels() == 256);
  REQUIRE(whole.image_shape() == ImageShape{5, 5, 1});
  const std::vector<int> expected{
      0,   1,   128, 4,   5,    //
      2,   3,   128, 6,   7,    //
      128, 128, 128, 128, 128,  //
      8,   9,   128, 128, 128,  //
      10,  11,  128, 128, 128,
  };
  CHECK(std::equal(expected.begin(), expected.end(), whole.pixels().begin()));
}

TEST_CASE("grid keeps colours together and takes a gap of any width", "[core][images]") {
  const Images images = counting(2, {1, 1, 3});
  const Images close = grid(images, 8, 0);
  REQUIRE(close.image_shape() == ImageShape{1, 2, 3});
  for (Index i = 0; i < 6; ++i) CHECK(close.pixels().data()[i] == i);

  const Images wide = grid(images, 8, 3);
  REQUIRE(wide.image_shape() == ImageShape{1, 5, 3});
  CHECK(wide[0](0, 4, 2) == 5);
  for (Index column = 1; column < 4; ++column) CHECK(wide[0](0, column, 1) == 128);
}

TEST_CASE("grid shows binary images in black and white with grey gaps", "[core][images]") {
  Images images(2, {1, 2, 1}, 2, "threshold 128");
  images[0](0, 1, 0) = 1;
  const Images whole = grid(images);
  CHECK(whole.levels() == 256);
  CHECK(whole.binarization() == "threshold 128");
  const std::vector<int> expected{0, 255, 128, 0, 0};
  REQUIRE(whole.image_shape() == ImageShape{1, 5, 1});
  CHECK(std::equal(expected.begin(), expected.end(), whole.pixels().begin()));
}

TEST_CASE("grid keeps the levels of images that are not binary", "[core][images]") {
  Images images(2, {1, 1, 1}, 4);
  images[1](0, 0, 0) = 3;
  const Images whole = grid(images);
  CHECK(whole.levels() == 4);
  CHECK(whole[0](0, 1, 0) == 2);
  CHECK(whole[0](0, 2, 0) == 3);
}

TEST_CASE("grid is no wider than its images", "[core][images]") {
  CHECK(grid(Images(3, {2, 2, 1}, 2), 8).image_shape() == ImageShape{2, 8, 1});
  CHECK(grid(Images(1, {2, 2, 1}, 2), 8).image_shape() == ImageShape{2, 2, 1});
  CHECK(grid(Images(9, {2, 2, 1}, 2), 8).image_shape() == ImageShape{5, 23, 1});
  CHECK(grid(Images(0, {2, 2, 1}, 2), 8).image_shape() == ImageShape{2, 2, 1});
}

TEST_CASE("grid refuses no columns and a negative gap", "[core][images]") {
  const Images images(3, {2, 2, 1}, 2);
  CHECK_THROWS_ERROR(grid(images, 0), ConfigError, "grid: columns is 0 and gap 1");
  CHECK_THROWS_ERROR(grid(images, 2, -1), ConfigError, "expected columns >= 1 and gap >= 0");
}
