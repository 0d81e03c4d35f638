// SPDX-License-Identifier: MIT
// NumPy's .npy: one array of float, double, or integers of 8, 16 or 64 bits in a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <pixelrnn/core/tensor.hpp>
#include <pixelrnn/io/file.hpp>
#include <pixelrnn/io/npy_header.hpp>

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
  const detail::NpyParts parts = detail::npy_parts(bytes, path);
  const detail::NpyHeader& header = parts.header;
  if (header.descr != detail::npy_descr<T>) {
    header.refuse("descr is ", detail::in_quotes(header.descr), ", expected ",
                  detail::in_quotes(detail::npy_descr<T>),
                  " (the type that read_npy was asked for)");
  }
  parts.require_size(sizeof(T));
  const auto fill = [&](std::span<const std::byte> from) {
    NpyArray<T> array{header.shape, std::vector<T>(from.size() / sizeof(T))};
    if (!from.empty()) std::memcpy(array.values.data(), from.data(), from.size());
    return array;
  };
  if (!header.fortran_order) return fill(parts.data);
  return fill(detail::from_fortran_order(parts.data, header.shape, sizeof(T)));
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
