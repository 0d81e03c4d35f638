// SPDX-License-Identifier: MIT
// A short word for the content of a set of images: to tell whether a run goes on with its own data.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string>

#include <pixelrnn/core/images.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

namespace detail {
/// FNV-1a (Fowler, Noll & Vo; 64 bits) of bytes and numbers.
class ContentHash {
 public:
  void add(std::uint64_t byte) { hash_ = (hash_ ^ byte) * 0x100000001b3; }
  void add_number(std::uint64_t number) {
    for (int i = 0; i < 8; ++i) add(number >> (8 * i) & 255);
  }
  void add_shape(const Shape<4>& shape) {
    for (const Index extent : shape.extent) add_number(static_cast<std::uint64_t>(extent));
  }
  [[nodiscard]] std::string digits() const {
    std::string digits;
    for (int i = 15; i >= 0; --i) digits += "0123456789abcdef"[hash_ >> (4 * i) & 15];
    return digits;
  }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325;
};
}  // namespace detail

/// 16 hexadecimal digits of FNV-1a over count, size, levels and all pixels in order, a byte each
/// or, of more than 256 levels, two: the same on every machine. It finds mistakes, not forgeries.
[[nodiscard]] inline std::string content_hash(const Images& images) {
  detail::ContentHash hash;
  hash.add_shape(images.pixels().shape());
  hash.add_number(static_cast<std::uint64_t>(images.levels()));
  for (const Images::Level level : images.pixels()) {
    hash.add(std::uint64_t{level} & 255);
    if (images.levels() > 256) hash.add(std::uint64_t{level} >> 8);
  }
  return hash.digits();
}
/// The same over shape and bits of numbers that images are told.
[[nodiscard]] inline std::string content_hash(FeatureView<const float> maps) {
  detail::ContentHash hash;
  hash.add_shape(maps.shape());
  for (const float value : maps) hash.add_number(std::bit_cast<std::uint32_t>(value));
  return hash.digits();
}
/// The same over labels.
[[nodiscard]] inline std::string content_hash(std::span<const int> labels) {
  detail::ContentHash hash;
  for (const int label : labels) hash.add_number(static_cast<std::uint64_t>(label));
  return hash.digits();
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
