// SPDX-License-Identifier: MIT
// NumPy's .npy: one array of float, double, unsigned bytes or 64-bit integers in a file.
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

#include <pixelrnn/core/tensor.hpp>
#include <pixelrnn/io/bytes.hpp>
#include <pixelrnn/io/file.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

namespace detail {

template <class T>
inline constexpr std::string_view npy_descr = "";
template <>
inline constexpr std::string_view npy_descr<float> = "<f4";
template <>
inline constexpr std::string_view npy_descr<double> = "<f8";
template <>
inline constexpr std::string_view npy_descr<std::uint8_t> = "|u1";
template <>
inline constexpr std::string_view npy_descr<std::uint16_t> = "<u2";
template <>
inline constexpr std::string_view npy_descr<std::int64_t> = "<i8";

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

/// Values whose first axis is the fastest, in row-major order.
template <class T>
[[nodiscard]] std::vector<T> from_fortran_order(const std::vector<T>& values,
                                                const std::vector<Index>& shape) {
  std::vector<T> result(values.size());
  std::vector<Index> position(shape.size(), 0);
  for (T& value : result) {
    Index source = 0;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      source = source * shape[axis] + position[axis];
    }
    value = values[static_cast<std::size_t>(source)];
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      if (++position[axis] < shape[axis]) break;
      position[axis] = 0;
    }
  }
  return result;
}

}  // namespace detail

/// A type that .npy files are read to and written from; conversions are the caller's.
template <class T>
concept NpyValue = !detail::npy_descr<T>.empty();

/// An array of any rank; values in row-major order.
template <NpyValue T>
struct NpyArray {
  std::vector<Index> shape;  ///< outermost axis first; none for a single number
  std::vector<T> values;
};

/// Reads a .npy file (format 1.0 or 2.0) of values of type T; Fortran order becomes row-major.
/// Throws FileError if it cannot be read, breaks the format, holds another type or fewer or more
/// bytes than its shape takes.
template <NpyValue T>
[[nodiscard]] NpyArray<T> read_npy(const std::filesystem::path& path,
                                   std::uint64_t max_bytes = default_max_bytes) {
  const std::vector<std::byte> bytes = read_file(path, max_bytes);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto refuse = [&path](std::size_t offset, const auto&... parts) {
    detail::fail<FileError>("npy: ", path, ": offset ", offset, ": ", parts...);
  };
  constexpr std::size_t version_end = detail::npy_magic.size() + 2;
  if (!text.starts_with(detail::npy_magic)) refuse(0, "the file does not begin with \\x93NUMPY");
  const std::string_view version = text.substr(detail::npy_magic.size(), 2);
  const bool is_first = version == std::string_view("\1\0", 2);
  if (!is_first && version != std::string_view("\2\0", 2)) {
    refuse(detail::npy_magic.size(), "the version is not 1.0 or 2.0");
  }
  const std::size_t begin = version_end + (is_first ? 2 : 4);
  if (bytes.size() < begin) refuse(version_end, "the file ends within its header");
  const std::byte* length_at = bytes.data() + version_end;
  const std::size_t length = is_first ? detail::load_little<std::uint16_t>(length_at)
                                      : detail::load_little<std::uint32_t>(length_at);
  if (length > detail::npy_max_header || length > bytes.size() - begin) {
    refuse(version_end, "the header has ", length, " bytes, expected at most ",
           std::min(detail::npy_max_header, bytes.size() - begin));
  }
  const detail::NpyHeader header(text.substr(begin, length), begin, path);
  if (header.descr != detail::npy_descr<T>) {
    header.refuse("descr is ", detail::in_quotes(header.descr), ", expected ",
                  detail::in_quotes(detail::npy_descr<T>),
                  " (the type that read_npy was asked for)");
  }
  const std::optional<std::uint64_t> wanted = detail::array_bytes(sizeof(T), header.shape);
  if (!wanted) header.refuse("the shape takes 2^63 bytes or more");
  const std::span<const std::byte> data = std::span(bytes).subspan(begin + length);
  if (data.size() != *wanted) {
    header.refuse("the shape takes ", *wanted, " bytes, but ", data.size(), " follow the header");
  }
  NpyArray<T> array{header.shape, std::vector<T>(data.size() / sizeof(T))};
  if (!data.empty()) std::memcpy(array.values.data(), data.data(), data.size());
  if (header.fortran_order) array.values = detail::from_fortran_order(array.values, array.shape);
  return array;
}

/// Writes values as a .npy file (format 1.0, row-major), atomically, see AtomicFile. Throws
/// ShapeError if the shape has another number of elements, FileError if it cannot be written.
template <class T>
requires NpyValue<std::remove_const_t<T>>
void write_npy(const std::filesystem::path& path, const std::vector<Index>& shape,
               std::span<T> values) {
  constexpr std::size_t max_rank = 32;  // NumPy's
  if (shape.size() > max_rank || detail::array_bytes(sizeof(T), shape) != values.size_bytes()) {
    detail::fail<ShapeError>("write_npy: ", path, ": ", values.size(), " values and ", shape.size(),
                             " axes, expected a shape of as many elements and at most ", max_rank,
                             " axes");
  }
  std::string header = "{'descr': '";
  header += detail::npy_descr<std::remove_const_t<T>>;
  header += "', 'fortran_order': False, 'shape': (";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis != 0) header += ", ";
    header += std::to_string(shape[axis]);
  }
  header += shape.size() == 1 ? ",), }" : "), }";
  // The values begin at a multiple of 64, and the header ends with a line feed.
  constexpr std::size_t before = detail::npy_magic.size() + 4;
  header.resize((before + header.size() + 1 + 63) / 64 * 64 - before, ' ');
  header.back() = '\n';
  const auto length = static_cast<std::uint16_t>(header.size());

  write_file_atomically(path, [&](AtomicFile& file) {
    file.write(detail::bytes_of(detail::npy_magic));
    file.write(detail::bytes_of(std::string_view("\1\0", 2)));
    file.write(std::as_bytes(std::span(&length, 1)));
    file.write(detail::bytes_of(header));
    file.write(std::as_bytes(values));
  });
}
template <NpyValue T>
void write_npy(const std::filesystem::path& path, const NpyArray<T>& array) {
  write_npy(path, array.shape, std::span(array.values));
}
template <class T, std::size_t Rank>
void write_npy(const std::filesystem::path& path, TensorView<T, Rank> values) {
  const Shape<Rank> shape = values.shape();
  write_npy(path, {shape.extent.begin(), shape.extent.end()}, values.flat());
}
template <NpyValue T, std::size_t Rank>
void write_npy(const std::filesystem::path& path, const Tensor<T, Rank>& values) {
  write_npy(path, values.view());
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
