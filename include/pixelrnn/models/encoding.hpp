// SPDX-License-Identifier: MIT
// Encoding: how a level becomes the number that a net reads.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include <pixelrnn/core/shape.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

enum class Encoding {
  scaled,    ///< evenly from -1 to 1 (the paper scales and centres): black then differs from the
             ///< zero padding outside the image
  zero_one,  ///< evenly from 0 to 1, as weights from elsewhere may expect
  level,     ///< the level itself, for a net that begins with an Embedding or a
             ///< OneHotConv2d
};

/// "-1..1", "0..1", "level": as model files say it.
[[nodiscard]] constexpr std::string_view name_of(Encoding encoding) {
  constexpr std::array<std::string_view, 3> names{"-1..1", "0..1", "level"};
  return names[static_cast<std::size_t>(encoding)];
}
[[nodiscard]] constexpr std::optional<Encoding> encoding_named(std::string_view name) {
  for (const Encoding e : {Encoding::scaled, Encoding::zero_one, Encoding::level}) {
    if (name == name_of(e)) return e;
  }
  return std::nullopt;
}

/// Level v of `levels` as a net reads it. Rounded in the same way everywhere.
template <class T>
[[nodiscard]] constexpr T encode_level(Encoding encoding, int v, int levels) {
  const T top = static_cast<T>(levels - 1);
  if (encoding == Encoding::scaled) return static_cast<T>(2 * v) / top - T{1};
  return encoding == Encoding::zero_one ? static_cast<T>(v) / top : static_cast<T>(v);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
