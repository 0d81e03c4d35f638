// SPDX-License-Identifier: MIT
#include <pixelrnn/io/dtype.hpp>

#include <cmath>
#include <cstdint>
#include <limits>

#include "support/catch.hpp"

namespace pixelrnn {

TEST_CASE("A dtype is found by its name, and by no other", "[io][dtype]") {
  for (const Dtype dtype : all_dtypes) CHECK(dtype_named(name_of(dtype)) == dtype);
  CHECK(name_of(Dtype::bf16) == "BF16");
  for (const char* name : {"", "f32", "F3", "F320", "I8", "BOOL"}) {
    CHECK_FALSE(dtype_named(name).has_value());
  }
}

TEST_CASE("Sizes and kinds of dtypes are those of their names", "[io][dtype]") {
  CHECK(size_of(Dtype::u8) == 1);
  CHECK(size_of(Dtype::f16) == 2);
  CHECK(size_of(Dtype::bf16) == 2);
  CHECK(size_of(Dtype::f32) == 4);
  CHECK(size_of(Dtype::f64) == 8);
  CHECK(size_of(Dtype::i64) == 8);
  CHECK(size_of(Dtype::u64) == 8);
  for (const Dtype dtype : all_dtypes) {
    CHECK(is_floating(dtype) == (name_of(dtype).find('F') != std::string_view::npos));
  }
}

TEST_CASE("All 65536 binary16 values are what IEEE 754 says", "[io][dtype]") {
  int wrong = 0;
  for (int bits = 0; bits < 65536; ++bits) {
    const float value = from_f16(static_cast<std::uint16_t>(bits));
    const double sign = bits >> 15 == 0 ? 1 : -1;
    const int exponent = bits >> 10 & 31;
    const int fraction = bits & 1023;
    double expected = sign * std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 0) expected = sign * std::ldexp(fraction, -24);
    if (exponent == 31) {
      expected = fraction == 0 ? sign * std::numeric_limits<double>::infinity() : NAN;
    }
    const bool same =
        std::isnan(expected) ? std::isnan(value) : static_cast<double>(value) == expected;
    if (!same || std::signbit(value) != (bits >> 15 == 1)) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("A float becomes the nearest binary16, ties to even", "[io][dtype]") {
  int wrong = 0;
  for (int bits = 0; bits < 0x7c00; ++bits) {  // all finite ones that are not negative
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = from_f16(half), above = from_f16(static_cast<std::uint16_t>(bits + 1));
    // Halfway to the next, which of the largest would be 65,536.
    const float middle = value + (bits == 0x7bff ? 16 : (above - value) / 2);
    const auto even = static_cast<std::uint16_t>(bits + bits % 2);
    wrong += to_f16(value) != half || to_f16(-value) != (half | 0x8000);
    wrong += to_f16(std::nextafter(middle, 0.0f)) != half;
    wrong += to_f16(middle) != even || to_f16(-middle) != (even | 0x8000);
    wrong += to_f16(std::nextafter(middle, 1e30f)) != half + 1;
  }
  CHECK(wrong == 0);
  CHECK(to_f16(std::numeric_limits<float>::max()) == 0x7c00);
  CHECK(to_f16(-std::numeric_limits<float>::infinity()) == 0xfc00);
  CHECK(to_f16(std::numeric_limits<float>::denorm_min()) == 0);
  CHECK(std::isnan(from_f16(to_f16(NAN))));
}

TEST_CASE("bfloat16 is the upper half of a float", "[io][dtype]") {
  CHECK(from_bf16(0x3f80) == 1.0f);
  CHECK(from_bf16(0xbe20) == -0.15625f);
  CHECK(from_bf16(0x0001) == std::ldexp(1.0f, -133));  // subnormal
  CHECK(std::isinf(from_bf16(0x7f80)));
  CHECK(std::isnan(from_bf16(0x7fc0)));
  CHECK(std::signbit(from_bf16(0x8000)));
}

}  // namespace pixelrnn
