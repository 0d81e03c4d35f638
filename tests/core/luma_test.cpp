// SPDX-License-Identifier: MIT
#include <pixelrnn/core/luma.hpp>

#include <cmath>

#include "support/catch.hpp"

namespace pixelrnn {

TEST_CASE("Luma is Rec. 601's weighted sum, rounded to the nearest level, halves up",
          "[core][luma]") {
  Index wrong = 0;
  for (int r = 0; r < 256; r += 5) {
    for (int g = 0; g < 256; ++g) {
      for (int b = 0; b < 256; b += 3) {
        // Exact: no product of three decimals is rounded away by doubles near a half.
        const double y = (299.0 * r + 587.0 * g + 114.0 * b) / 1000.0;
        if (int{luma(r, g, b)} != static_cast<int>(std::floor(y + 0.5))) ++wrong;
      }
    }
  }
  CHECK(wrong == 0);
  CHECK(int{luma(255, 0, 0)} == 76);
  CHECK(int{luma(0, 255, 0)} == 150);
  CHECK(int{luma(0, 0, 255)} == 29);
}

TEST_CASE("Grey stays grey: luma of (v, v, v) is v", "[core][luma]") {
  for (int v = 0; v < 256; ++v) CHECK(int{luma(v, v, v)} == v);
}

TEST_CASE("to_grey takes each pixel by itself and keeps levels, binarization and labels",
          "[core][luma]") {
  Images colour(2, {1, 2, 3}, 2, "fixed");
  // Image 0: green, blue; image 1: black, white.
  colour[0](0, 0, 1) = 1;
  colour[0](0, 1, 2) = 1;
  for (Index c = 0; c < 3; ++c) colour[1](0, 1, c) = 1;
  colour.set_labels({4, 8});
  const Images grey = to_grey(colour);
  CHECK(grey.labels() == std::vector<int>{4, 8});
  CHECK(grey.count() == 2);
  CHECK(grey.image_shape() == ImageShape{1, 2, 1});
  CHECK(grey.levels() == 2);
  CHECK(grey.binarization() == "fixed");
  CHECK(int{grey[0](0, 0, 0)} == 1);
  CHECK(int{grey[0](0, 1, 0)} == 0);
  CHECK(int{grey[1](0, 0, 0)} == 0);
  CHECK(int{grey[1](0, 1, 0)} == 1);
}

TEST_CASE("to_grey gives grey images back and refuses two channels", "[core][luma]") {
  Images grey(1, {1, 1, 1}, 256);
  grey[0](0, 0, 0) = 200;
  CHECK(int{to_grey(grey)[0](0, 0, 0)} == 200);
  CHECK_THROWS_ERROR(to_grey(Images(1, {4, 5, 2}, 256)), ShapeError, "4x5x2");
}

}  // namespace pixelrnn
