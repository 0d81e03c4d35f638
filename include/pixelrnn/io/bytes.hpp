// SPDX-License-Identifier: MIT
// Numbers as bytes: little- and big-endian loads, overflow-checked sizes, text fit for a message.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include <pixelrnn/core/shape.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

// Values are copied between memory and little-endian files as they are.
static_assert(std::endian::native == std::endian::little,
              "pixelrnn/io copies little-endian values: port io/bytes.hpp to this machine first");

namespace detail {

/// The value stored at `bytes`, little-endian, of any alignment.
template <class T>
[[nodiscard]] T load_little(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

/// The 32-bit number stored at `bytes`, most significant byte first.
[[nodiscard]] inline std::uint32_t load_big32(const std::byte* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint32_t>(bytes[i]);
  return value;
}

/// Stores a 32-bit number at `bytes`, most significant byte first.
inline void store_big32(std::byte* bytes, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<std::byte>(value >> (24 - 8 * i));
}

/// a * b into `product`; false if that is 2^63 or more, which no Index holds.
[[nodiscard]] inline bool multiply(std::uint64_t a, std::uint64_t b, std::uint64_t& product) {
  return !__builtin_mul_overflow(a, b, &product) && product <= std::uint64_t{PTRDIFF_MAX};
}

/// Bytes of an array of values of `value_size` bytes; nothing if an extent is negative or the bytes
/// are 2^63 or more. An extent of 0 does not hide that the others are absurd.
[[nodiscard]] inline std::optional<std::uint64_t> array_bytes(std::size_t value_size,
                                                              std::span<const Index> shape) {
  std::uint64_t bytes = value_size;
  bool empty = false;
  for (const Index extent : shape) {
    if (extent < 0) return std::nullopt;
    empty = empty || extent == 0;
    const auto factor = static_cast<std::uint64_t>(std::max<Index>(extent, 1));
    if (!multiply(bytes, factor, bytes)) return std::nullopt;
  }
  return empty ? 0 : bytes;
}

/// No zlib or gzip data inflates to more than so many times its size: deflate spends at least 2
/// bits on the longest match, which is 258 bytes (RFC 1951, sec. 3.2.5).
inline constexpr std::uint64_t deflate_max_ratio = 1032;

[[nodiscard]] inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

}  // namespace detail
}  // namespace pixelrnn::inline PIXELRNN_ABI
