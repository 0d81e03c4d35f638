// SPDX-License-Identifier: MIT
// The exceptions of the library: one base, one subclass for each kind of mistake.
#pragma once

#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <limits>
#include <ostream>
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

/// A part of a message, of whatever type. There are a hundred kinds of message in a small program,
/// and a dozen types of part: a message that is an array of parts takes a tenth of the time to
/// compile.
class MessagePart {
 public:
  MessagePart(const char* text)
      : part_(text),
        write_([](std::ostream& out, const void* part) { out << static_cast<const char*>(part); }) {
  }
  template <class T>
  MessagePart(const T& part)
      : part_(&part),
        write_([](std::ostream& out, const void* p) { out << shown(*static_cast<const T*>(p)); }) {}
  void write_to(std::ostream& out) const { write_(out, part_); }

 private:
  const void* part_;
  void (*write_)(std::ostream&, const void*);
};

template <class E>
[[noreturn, gnu::cold, gnu::noinline]] void throw_message(
    std::initializer_list<MessagePart> parts) {
  std::ostringstream message;
  for (const MessagePart& part : parts) part.write_to(message);
  throw E(message.str());
}

/// Throws E with all parts streamed one after the other. In parentheses because a user may have a
/// macro of that name.
template <class E, class... Parts>
[[noreturn, gnu::cold]] void(fail)(const Parts&... parts) {
  throw_message<E>({MessagePart(parts)...});
}

}  // namespace detail
}  // namespace pixelrnn::inline PIXELRNN_ABI
