// SPDX-License-Identifier: MIT
// The types of stored values, and the two 16-bit floating-point ones as float.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <pixelrnn/core/error.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// What a stored value is. In the order in which safetensors sorts: a larger type is aligned at
/// least as strictly as a smaller one.
enum class Dtype { u8, u16, f16, bf16, f32, f64, i64, u64 };

inline constexpr std::array all_dtypes{Dtype::u8,  Dtype::u16, Dtype::f16, Dtype::bf16,
                                       Dtype::f32, Dtype::f64, Dtype::i64, Dtype::u64};

/// The name in a safetensors file.
[[nodiscard]] constexpr std::string_view name_of(Dtype dtype) {
  constexpr std::array<std::string_view, 8> names{"U8",  "U16", "F16", "BF16",
                                                  "F32", "F64", "I64", "U64"};
  return names[static_cast<std::size_t>(dtype)];
}

[[nodiscard]] constexpr std::optional<Dtype> dtype_named(std::string_view name) {
  for (const Dtype dtype : all_dtypes) {
    if (name == name_of(dtype)) return dtype;
  }
  return std::nullopt;
}

/// Bytes of one value.
[[nodiscard]] constexpr std::size_t size_of(Dtype dtype) {
  constexpr std::array<std::size_t, 8> sizes{1, 2, 2, 2, 4, 8, 8, 8};
  return sizes[static_cast<std::size_t>(dtype)];
}

[[nodiscard]] constexpr bool is_floating(Dtype dtype) {
  return dtype >= Dtype::f16 && dtype <= Dtype::f64;
}

namespace detail {

template <class T>
inline constexpr std::optional<Dtype> dtype_of = std::nullopt;
template <>
inline constexpr std::optional<Dtype> dtype_of<std::uint8_t> = Dtype::u8;
template <>
inline constexpr std::optional<Dtype> dtype_of<std::uint16_t> = Dtype::u16;
template <>
inline constexpr std::optional<Dtype> dtype_of<float> = Dtype::f32;
template <>
inline constexpr std::optional<Dtype> dtype_of<double> = Dtype::f64;
template <>
inline constexpr std::optional<Dtype> dtype_of<std::int64_t> = Dtype::i64;
template <>
inline constexpr std::optional<Dtype> dtype_of<std::uint64_t> = Dtype::u64;

}  // namespace detail

/// A C++ type with a Dtype of its own.
template <class T>
concept StoredValue = detail::dtype_of<T>
.has_value();

/// bfloat16: the upper half of a float.
[[nodiscard]] constexpr float from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// IEEE 754 binary16: 1 sign, 5 exponent (bias 15) and 10 fraction bits. Every value is a float.
[[nodiscard]] constexpr float from_f16(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = bits >> 10 & 0x1fu;
  const std::uint32_t fraction = bits & 0x3ffu;
  if (exponent == 0) {  // zero or subnormal: fraction * 2^-24, which float holds as a normal number
    const float magnitude = static_cast<float>(fraction) * 0x1.0p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 0x1f ? 0xff : exponent + (127 - 15);  // infinity, NaN
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}
/// The nearest IEEE 754 binary16 number, ties to even; infinity from 65,520 on.
[[nodiscard]] constexpr std::uint16_t to_f16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value), size = bits & 0x7fffffffu;
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000u);
  const auto with_sign = [sign](std::uint32_t rest) {
    return static_cast<std::uint16_t>(sign | rest);
  };
  if (size > 0x7f800000u) return with_sign(0x7e00);  // NaN
  if (size >= std::bit_cast<std::uint32_t>(65520.0f)) return with_sign(0x7c00);
  if (size < std::bit_cast<std::uint32_t>(0x1.0p-14f)) {
    // Beside 0.5 float has the steps of subnormal numbers, 2^-24: the sum is rounded to them.
    const float sum = std::bit_cast<float>(size) + 0.5f;
    return with_sign(std::bit_cast<std::uint32_t>(sum) - std::bit_cast<std::uint32_t>(0.5f));
  }
  const std::uint32_t odd = size >> 13 & 1;  // of the last digit that stays
  return with_sign((size - (std::uint32_t{127 - 15} << 23) + 0xfffu + odd) >> 13);
}
static_assert(from_f16(0x3c00) == 1.0f && from_f16(0xc000) == -2.0f && from_f16(1) == 0x1.0p-24f);
static_assert(from_bf16(0x3f80) == 1.0f && from_bf16(0xc040) == -3.0f);

}  // namespace pixelrnn::inline PIXELRNN_ABI
