// SPDX-License-Identifier: MIT
// The exceptions of the library: one base, one subclass for each kind of mistake.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include <pixelrnn/core/config.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Base of everything the library throws on bad input (memory exhaustion stays std::bad_alloc).
/// The message names the place, the value found, what is accepted and the knob that changes it.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A tensor, image or batch of the wrong shape was passed in.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// An option, size or combination of sizes that cannot work.
class ConfigError : public Error {
 public:
  using Error::Error;
};

/// A pixel, level or label outside the range the receiver accepts.
class ValueError : public Error {
 public:
  using Error::Error;
};

/// A file that cannot be read or written, or whose content breaks its format.
class FileError : public Error {
 public:
  using Error::Error;
};

/// A loss, gradient or parameter that is not finite.
class NumericError : public Error {
 public:
  using Error::Error;
};

namespace detail {

/// A part of a message as it is shown: NaN without its sign, which means nothing.
template <class T>
[[nodiscard]] decltype(auto) shown(const T& part) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::isnan(part) ? std::numeric_limits<T>::quiet_NaN() : part;
  } else {
    return (part);
  }
}

/// Text of a stranger's, such as a file's, in quotes: at most 80 bytes of it, unprintable ones as
/// '?'.
[[nodiscard]] inline std::string in_quotes(std::string_view text) {
  constexpr std::size_t longest = 80;
  std::string result = "\"";
  for (const char c : text.substr(0, longest)) result += c < ' ' || c > '~' ? '?' : c;
  return result + (text.size() > longest ? "...\"" : "\"");
}

/// Throws E with all parts streamed one after the other. In parentheses because a user may have a
/// macro of that name.
template <class E, class... Parts>
[[noreturn, gnu::cold]] void(fail)(const Parts&... parts) {
  std::ostringstream message;
  (message << ... << shown(parts));
  throw E(message.str());
}

}  // namespace detail
}  // namespace pixelrnn::inline PIXELRNN_ABI
