// SPDX-License-Identifier: MIT
#include <pixelrnn/io/codes.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"
#include "support/temporary_directory.hpp"

using namespace pixelrnn;

TEST_CASE("Codes come back as they were written, in three axes or four", "[io][codes]") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "codes.npy";
  for (const ImageShape shape : {ImageShape{3, 4, 1}, ImageShape{3, 4, 2}}) {
    const Images images = test::random_images(5, shape, 512, 3);
    write_codes(path, images);
    CHECK(read_npy<std::int64_t>(path).shape.size() == (shape.channels == 1 ? 3U : 4U));
    const Images found = read_codes(path, 512);
    CHECK(found.image_shape() == shape);
    CHECK(found.levels() == 512);
    CHECK(std::ranges::equal(found.pixels(), images.pixels()));
  }
}

TEST_CASE("What are no codes is refused", "[io][codes]") {
  const test::TemporaryDirectory directory;
  const auto path = directory / "codes.npy";
  const std::vector<std::int64_t> values{0, 1, 2, 511, 512, -1};
  const auto write = [&](std::vector<Index> shape, std::size_t first, std::size_t count) {
    write_npy(path, shape, std::span(values).subspan(first, count));
  };
  write({1, 2, 2}, 0, 4);
  CHECK_NOTHROW(read_codes(path, 512));
  CHECK_THROWS_ERROR(read_codes(path, 511), FileError, "element 3 is 511, expected 0 to 510");
  CHECK_THROWS_AS(read_codes(path, 1), ConfigError);
  write({1, 1, 2}, 4, 2);
  CHECK_THROWS_ERROR(read_codes(path, 513), FileError, "element 1 is -1, expected 0 to 512");
  write({2, 2}, 0, 4);
  CHECK_THROWS_ERROR(read_codes(path, 512), FileError, "has 2 axes, expected (N, H, W)");
  write_npy(path, {1, 1, 2}, std::span<const float>(std::vector<float>{1, 2}));
  CHECK_THROWS_AS(read_codes(path, 512), FileError);
}

TEST_CASE("Vectors of codes stand where their codes do, enlarged", "[io][codes]") {
  const Images codes = test::random_images(2, {2, 3, 2}, 5, 3);
  NpyArray<float> book{{5, 3}, {}};
  for (int i = 0; i < 15; ++i) book.values.push_back(static_cast<float>(i));
  const FeatureMap<float> maps = code_vectors(codes, book, 2);
  REQUIRE(maps.shape() == Shape<4>{2, 4, 6, 6});
  for (Index y = 0; y < 4; ++y) {
    for (Index x = 0; x < 6; ++x) {
      for (Index c = 0; c < 6; ++c) {
        CHECK(maps(1, y, x, c) == static_cast<float>(codes[1](y / 2, x / 2, c / 3) * 3 + c % 3));
      }
    }
  }
  CHECK_THROWS_ERROR(code_vectors(codes, {{4, 3}, std::vector<float>(12)}), ShapeError,
                     "the book has 2 axes, 4 vectors and 12 values, expected (codes, D) for 5");
  CHECK_THROWS_AS(code_vectors(codes, book, 0), ConfigError);
}
