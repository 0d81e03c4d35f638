// SPDX-License-Identifier: MIT
#include <pixelrnn/io/bytes.hpp>

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace pixelrnn {

TEST_CASE("Big-endian numbers are stored most significant byte first", "[io][bytes]") {
  std::array<std::byte, 4> bytes{};
  detail::store_big32(bytes.data(), 0x01020384);
  CHECK(bytes == std::array{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{0x84}});
  CHECK(detail::load_big32(bytes.data()) == 0x01020384);
  CHECK(detail::load_little<std::uint32_t>(bytes.data()) == 0x84030201);
}

TEST_CASE("Array sizes are exact up to 2^63 - 1 and nothing beyond", "[io][bytes]") {
  const auto bytes = [](std::size_t size, std::vector<Index> shape) {
    return detail::array_bytes(size, shape);
  };
  CHECK(bytes(4, {}) == 4);
  CHECK(bytes(4, {2, 3}) == 24);
  CHECK(bytes(8, {5, 0, 7}) == 0);
  CHECK(bytes(1, {std::numeric_limits<Index>::max()}) == std::uint64_t{1} * PTRDIFF_MAX);
  CHECK_FALSE(bytes(2, {std::numeric_limits<Index>::max()}).has_value());
  CHECK_FALSE(bytes(1, {Index{1} << 32, Index{1} << 32}).has_value());  // 2^64: wraps to 0
  CHECK_FALSE(bytes(1, {Index{1} << 32, Index{1} << 31}).has_value());  // 2^63: no Index
  CHECK_FALSE(bytes(1, {0, Index{1} << 32, Index{1} << 32}).has_value());
  CHECK_FALSE(bytes(1, {-1}).has_value());
}

}  // namespace pixelrnn
