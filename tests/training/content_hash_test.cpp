// SPDX-License-Identifier: MIT
#include <pixelrnn/training/content_hash.hpp>

#include "support/catch.hpp"
#include "support/models.hpp"

using namespace pixelrnn;

TEST_CASE("The hash of no images is that of their sizes, by hand", "[training][content_hash]") {
  // FNV-1a of 40 bytes: 0, 0, 0, 0 and 256 as 64-bit numbers, least significant byte first.
  std::uint64_t hash = 14695981039346656037u;
  for (int byte = 0; byte < 40; ++byte) {
    hash = (hash ^ (byte == 33 ? 1u : 0u)) * 1099511628211u;
  }
  CHECK(std::stoull(content_hash(Images()), nullptr, 16) == hash);
  CHECK(content_hash(Images()).size() == 16);
}

TEST_CASE("The hash of labels is that of 64-bit numbers, by hand", "[training][content_hash]") {
  std::uint64_t hash = 14695981039346656037u;
  for (int byte = 0; byte < 16; ++byte) {
    hash = (hash ^ (byte == 0 ? 3u : byte == 8 ? 1u : 0u)) * 1099511628211u;
  }
  CHECK(std::stoull(content_hash(std::vector<int>{3, 1}), nullptr, 16) == hash);
}

TEST_CASE("Any other pixel, order, size or number of levels is another hash",
          "[training][content_hash]") {
  const Images images = test::random_images(5, {3, 4, 1}, 4, 1);
  const std::string hash = content_hash(images);
  CHECK(content_hash(test::random_images(5, {3, 4, 1}, 4, 1)) == hash);
  CHECK(content_hash(test::random_images(5, {3, 4, 1}, 4, 2)) != hash);
  for (const Index at : {Index{0}, Index{17}, Index{59}}) {
    Images other = images;
    other.pixels().data()[at] = static_cast<Images::Level>(3 - other.pixels().data()[at]);
    CHECK(content_hash(other) != hash);
  }
  const Index order[]{1, 0, 2, 3, 4};
  CHECK(content_hash(images.select(order)) != hash);
  CHECK(content_hash(images.first(4)) != hash);
  const Tensor<Images::Level, 4> pixels(images.pixels());
  CHECK(content_hash(Images(pixels, 256)) != hash);
  CHECK(content_hash(Images(Tensor<Images::Level, 4>(images.pixels().reshape(Shape<4>{5, 4, 3, 1})),
                            4)) != hash);
}

TEST_CASE("Of more than 256 levels both bytes count", "[training][content_hash]") {
  Images images(1, {1, 2, 1}, 65536);
  images.pixels().data()[0] = 7;
  const std::string hash = content_hash(images);
  images.pixels().data()[0] = 7 + 256;
  CHECK(content_hash(images) != hash);
}
