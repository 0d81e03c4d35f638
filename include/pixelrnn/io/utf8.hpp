// SPDX-License-Identifier: MIT
// Is this text UTF-8?
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include <pixelrnn/core/config.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// The position of the first byte that begins no character of UTF-8 (RFC 3629): overlong forms,
/// surrogates and anything above U+10FFFF are none. Nothing if all is well.
[[nodiscard]] constexpr std::optional<std::size_t> first_not_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[i + k]); };
    const unsigned lead = byte(0);
    const std::size_t length = lead < 0x80                    ? 1
                               : lead >= 0xc2 && lead <= 0xdf ? 2
                               : lead >= 0xe0 && lead <= 0xef ? 3
                               : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                              : 0;
    if (length == 0 || length > text.size() - i) return i;
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(k) & 0xc0u) != 0x80) return i;
    }
    if (lead == 0xe0 && byte(1) < 0xa0) return i;  // overlong
    if (lead == 0xed && byte(1) > 0x9f) return i;  // surrogate
    if (lead == 0xf0 && byte(1) < 0x90) return i;  // overlong
    if (lead == 0xf4 && byte(1) > 0x8f) return i;  // above U+10FFFF
    i += length;
  }
  return std::nullopt;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
