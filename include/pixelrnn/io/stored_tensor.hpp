// SPDX-License-Identifier: MIT
// StoredTensor: a named array as a file holds it, and its way from and to C++ values.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <pixelrnn/core/tensor.hpp>
#include <pixelrnn/io/bytes.hpp>
#include <pixelrnn/io/dtype.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// A row-major little-endian array under a name. It looks at bytes that somebody else owns: the
/// SafetensorsFile or NpzFile it was read from, or the values it was made of by `stored`.
struct StoredTensor {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<Index> shape;  ///< outermost axis first; none for a single number
  std::span<const std::byte> bytes;

  /// Number of values.
  [[nodiscard]] std::size_t size() const { return bytes.size() / size_of(dtype); }
};

/// The values of a view under a name, to be written; no copy.
template <class T, std::size_t Rank>
requires StoredValue<std::remove_const_t<T>>
[[nodiscard]] StoredTensor stored(std::string name, TensorView<T, Rank> values) {
  const Shape<Rank> shape = values.shape();
  return {std::move(name), *detail::dtype_of<std::remove_const_t<T>>,
          std::vector<Index>(shape.extent.begin(), shape.extent.end()),
          std::as_bytes(values.flat())};
}
template <StoredValue T, std::size_t Rank>
[[nodiscard]] StoredTensor stored(std::string name, const Tensor<T, Rank>& values) {
  return stored(std::move(name), values.view());
}
template <StoredValue T, std::size_t Rank>
StoredTensor stored(std::string name, Tensor<T, Rank>&& values) = delete;  // would dangle

/// Values under a name and a shape, to be written; no copy. Throws ShapeError if the shape has
/// another number of elements.
template <class T>
requires StoredValue<std::remove_const_t<T>>
[[nodiscard]] StoredTensor stored(std::string name, std::vector<Index> shape, std::span<T> values) {
  const Dtype dtype = *detail::dtype_of<std::remove_const_t<T>>;
  if (detail::array_bytes(sizeof(T), shape) != values.size_bytes()) {
    detail::fail<ShapeError>("stored: ", detail::in_quotes(name), " has ", values.size(),
                             " values, expected as many as its shape has elements");
  }
  return {std::move(name), dtype, std::move(shape), std::as_bytes(values)};
}

namespace detail {

/// The i-th value of a floating-point tensor; double holds all four types.
[[nodiscard]] inline double floating_value(const StoredTensor& tensor, std::size_t i) {
  const std::byte* at = tensor.bytes.data() + i * size_of(tensor.dtype);
  switch (tensor.dtype) {
    case Dtype::f16:
      return static_cast<double>(from_f16(load_little<std::uint16_t>(at)));
    case Dtype::bf16:
      return static_cast<double>(from_bf16(load_little<std::uint16_t>(at)));
    case Dtype::f32:
      return static_cast<double>(load_little<float>(at));
    default:
      return load_little<double>(at);
  }
}

}  // namespace detail

/// Copies the values of a tensor to `out`. float and double take every floating-point type, f64 to
/// float rounding to nearest; other types take their own only. Throws ShapeError if `out` has
/// another size, FileError if the types do not agree, ValueError if a finite double is too large
/// for float.
template <StoredValue T>
void copy_values(const StoredTensor& tensor, std::span<T> out) {
  if (out.size() != tensor.size()) {
    detail::fail<ShapeError>("copy_values: tensor ", detail::in_quotes(tensor.name), " has ",
                             tensor.size(), " values, expected ", out.size());
  }
  if (tensor.dtype == *detail::dtype_of<T>) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = detail::load_little<T>(tensor.bytes.data() + i * sizeof(T));
    }
    return;
  }
  if constexpr (std::floating_point<T>) {
    if (is_floating(tensor.dtype)) {
      for (std::size_t i = 0; i < out.size(); ++i) {
        const double value = detail::floating_value(tensor, i);
        if (std::isfinite(value) && std::abs(value) > double{std::numeric_limits<T>::max()}) {
          detail::fail<ValueError>("copy_values: value ", i, " of tensor ",
                                   detail::in_quotes(tensor.name), " is ", value,
                                   ", expected one that float can hold (or read it as double)");
        }
        out[i] = static_cast<T>(value);
      }
      return;
    }
  }
  detail::fail<FileError>(
      "copy_values: tensor ", detail::in_quotes(tensor.name), " holds ", name_of(tensor.dtype),
      " values, expected ",
      std::floating_point<T> ? "F32, F64, F16 or BF16" : name_of(*detail::dtype_of<T>));
}

/// The values of a tensor, converted as by copy_values. Throws what it throws.
template <StoredValue T>
[[nodiscard]] std::vector<T> to_values(const StoredTensor& tensor) {
  std::vector<T> values(tensor.size());
  copy_values(tensor, std::span<T>(values));
  return values;
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
