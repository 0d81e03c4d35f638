// SPDX-License-Identifier: MIT
// A short word for the content of a set of images: to tell whether a run goes on with its own data.
#pragma once

#include <cstdint>
#include <string>

#include <pixelrnn/core/images.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// 16 hexadecimal digits of FNV-1a (Fowler, Noll & Vo; 64 bits) over count, size, levels and all
/// pixels in order, a byte each or, of more than 256 levels, two: the same on every machine. It
/// finds mistakes, not forgeries.
[[nodiscard]] inline std::string content_hash(const Images& images) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](std::uint64_t byte) { hash = (hash ^ byte) * 0x100000001b3; };
  const auto add_number = [&add](std::uint64_t number) {
    for (int i = 0; i < 8; ++i) add(number >> (8 * i) & 255);
  };
  for (const Index extent : images.pixels().shape().extent) {
    add_number(static_cast<std::uint64_t>(extent));
  }
  add_number(static_cast<std::uint64_t>(images.levels()));
  for (const Images::Level level : images.pixels()) {
    add(std::uint64_t{level} & 255);
    if (images.levels() > 256) add(std::uint64_t{level} >> 8);
  }
  std::string digits;
  for (int i = 15; i >= 0; --i) digits += "0123456789abcdef"[hash >> (4 * i) & 15];
  return digits;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
