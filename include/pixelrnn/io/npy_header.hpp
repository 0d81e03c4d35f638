// SPDX-License-Identifier: MIT
// What stands in .npy files before the values, and values in the order of other programs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pixelrnn/core/error.hpp>
#include <pixelrnn/io/bytes.hpp>

namespace pixelrnn::inline PIXELRNN_ABI::detail {

inline constexpr std::string_view npy_magic{"\x93NUMPY", 6};
/// NumPy's own limit (max_header_size): its headers are Python literals, and so is this reader's.
inline constexpr std::size_t npy_max_header = 10'000;
inline constexpr Index npy_max_extent = Index{1} << 48;

/// Reads the one Python literal a header may be:
///   {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
class NpyHeader {
 public:
  std::string descr;
  bool fortran_order = false;
  std::vector<Index> shape;

  /// `text` begins at byte `offset` of the file. Throws FileError on anything else.
  NpyHeader(std::string_view text, std::size_t offset, const std::filesystem::path& path)
      : text_(text), offset_(offset), path_(path) {
    bool has_descr = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = read_text();
      expect(':');
      if (key == "descr" && !std::exchange(has_descr, true)) {
        descr = read_text();
      } else if (key == "fortran_order" && !std::exchange(has_order, true)) {
        fortran_order = read_truth();
      } else if (key == "shape" && !std::exchange(has_shape, true)) {
        shape = read_shape();
      } else {
        refuse("the key ", in_quotes(key), " is unknown or occurs twice");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (at_ != text_.size()) refuse("something follows the header's '}'");
    if (text_.back() != '\n') refuse("the header does not end with a line feed");
    if (!has_descr || !has_order || !has_shape) {
      refuse("the header lacks one of descr, fortran_order and shape");
    }
  }

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    detail::fail<FileError>("npy: ", path_, ": offset ", offset_ + at_, ": ", parts...);
  }

 private:
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \n", at_), text_.size()); }
  bool accept(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) refuse("expected '", c, "'");
  }

  std::string read_text() {
    const char quote = accept('\'') ? '\'' : '"';
    if (quote == '"') expect('"');
    const std::size_t end = text_.find(quote, at_);
    if (end == text_.npos) refuse("a text has no end");
    const std::string text(text_.substr(at_, end - at_));
    at_ = end + 1;
    return text;
  }

  bool read_truth() {
    skip_space();
    for (const std::string_view word : {"True", "False"}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return word == "True";
      }
    }
    refuse("fortran_order is neither True nor False");
  }

  /// (), (3,) or (2, 3): NumPy writes the comma after a single extent, and (3) would be a number.
  std::vector<Index> read_shape() {
    std::vector<Index> extents;
    expect('(');
    while (!accept(')')) {
      extents.push_back(read_extent());
      if (accept(',')) continue;
      if (extents.size() == 1) refuse("expected ','");
      expect(')');
      break;
    }
    return extents;
  }

  Index read_extent() {
    skip_space();
    const std::size_t begin = at_;
    Index extent = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      extent = extent * 10 + (text_[at_] - '0');
      if (extent > npy_max_extent) refuse("an extent is over 2^48");
    }
    if (at_ == begin) refuse("expected an extent, a whole number of 0 or more");
    return extent;
  }

  std::string_view text_;
  std::size_t offset_;
  const std::filesystem::path& path_;
  std::size_t at_ = 0;
};

/// A .npy file in parts: what its header says, and the bytes after it.
struct NpyParts {
  NpyHeader header;
  std::span<const std::byte> data;

  /// Throws FileError unless there are as many bytes as the shape takes.
  void require_size(std::size_t value_size) const {
    const std::optional<std::uint64_t> wanted = array_bytes(value_size, header.shape);
    if (!wanted) header.refuse("the shape takes 2^63 bytes or more");
    if (data.size() == *wanted) return;
    header.refuse("the shape takes ", *wanted, " bytes, but ", data.size(), " follow the header");
  }
};

/// Throws FileError if the bytes do not begin as a .npy file (format 1.0 or 2.0) does. `path` is
/// for messages, and must outlive the parts.
[[nodiscard]] inline NpyParts npy_parts(std::span<const std::byte> bytes,
                                        const std::filesystem::path& path) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto refuse = [&path](std::size_t offset, const auto&... parts) {
    fail<FileError>("npy: ", path, ": offset ", offset, ": ", parts...);
  };
  constexpr std::size_t version_end = npy_magic.size() + 2;
  if (!text.starts_with(npy_magic)) refuse(0, "the file does not begin with \\x93NUMPY");
  const std::string_view version = text.substr(npy_magic.size(), 2);
  const bool is_first = version == std::string_view("\1\0", 2);
  if (!is_first && version != std::string_view("\2\0", 2)) {
    refuse(npy_magic.size(), "the version is not 1.0 or 2.0");
  }
  const std::size_t begin = version_end + (is_first ? 2 : 4);
  if (bytes.size() < begin) refuse(version_end, "the file ends within its header");
  const std::byte* length_at = bytes.data() + version_end;
  const std::size_t length =
      is_first ? load_little<std::uint16_t>(length_at) : load_little<std::uint32_t>(length_at);
  if (length > npy_max_header || length > bytes.size() - begin) {
    refuse(version_end, "the header has ", length, " bytes, expected at most ",
           std::min(npy_max_header, bytes.size() - begin));
  }
  return {NpyHeader(text.substr(begin, length), begin, path), bytes.subspan(begin + length)};
}

/// Values of so many bytes whose first axis is the fastest, in row-major order.
[[nodiscard]] inline std::vector<std::byte> from_fortran_order(std::span<const std::byte> values,
                                                               const std::vector<Index>& shape,
                                                               std::size_t size) {
  std::vector<std::byte> result(values.size());
  std::vector<Index> position(shape.size(), 0);
  for (std::size_t at = 0; at < result.size(); at += size) {
    Index source = 0;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      source = source * shape[axis] + position[axis];
    }
    std::memcpy(result.data() + at, values.data() + static_cast<std::size_t>(source) * size, size);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      if (++position[axis] < shape[axis]) break;
      position[axis] = 0;
    }
  }
  return result;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI::detail
