// SPDX-License-Identifier: MIT
#include <pixelrnn/io/stored_tensor.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace pixelrnn {
namespace {

template <class T>
std::span<const std::byte> raw(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

}  // namespace

TEMPLATE_TEST_CASE("Values come back from a stored tensor as they went in", "[io][stored]", float,
                   double, std::uint8_t, std::uint16_t, std::int64_t, std::uint64_t) {
  Tensor<TestType, 2> values({2, 3});
  for (Index i = 0; i < 6; ++i) values.data()[i] = static_cast<TestType>(40 * i + 1);
  values(1, 2) = std::numeric_limits<TestType>::max();
  const StoredTensor tensor = stored("weights", values);
  CHECK(tensor.name == "weights");
  CHECK(tensor.shape == std::vector<Index>{2, 3});
  CHECK(tensor.size() == 6);
  CHECK(tensor.bytes.data() == reinterpret_cast<const std::byte*>(values.data()));
  CHECK(to_values<TestType>(tensor) == std::vector<TestType>(values.begin(), values.end()));
}

TEST_CASE("A view, a vector and a single number can be stored too", "[io][stored]") {
  const Tensor<float, 1> owner({4}, 2.0f);
  CHECK(stored("part", owner.view().slice(1, 2)).shape == std::vector<Index>{2});
  const std::vector<double> numbers{1, 2, 3, 4, 5, 6};
  CHECK(stored("numbers", {3, 2}, std::span(numbers)).shape == std::vector<Index>{3, 2});
  const std::int64_t step = 7;
  const StoredTensor single = stored("step", {}, std::span(&step, 1));
  CHECK(single.size() == 1);
  CHECK(to_values<std::int64_t>(single) == std::vector<std::int64_t>{7});
  for (const std::vector<Index>& shape : {std::vector<Index>{5}, {-6, -1}, {6, 0}}) {
    CHECK_THROWS_ERROR(stored("numbers", shape, std::span(numbers)), ShapeError, "\"numbers\"");
  }
}

TEST_CASE("float and double take every floating-point type", "[io][stored]") {
  const std::vector<std::uint16_t> halves{0x3c00, 0xc000, 0x0001};
  const StoredTensor f16{"f16", Dtype::f16, {3}, raw(halves)};
  CHECK(to_values<float>(f16) == std::vector<float>{1, -2, 0x1p-24f});
  CHECK(to_values<double>(f16) == std::vector<double>{1, -2, 0x1p-24});
  const std::vector<std::uint16_t> brains{0x3f80, 0xc040};
  CHECK(to_values<double>({"bf16", Dtype::bf16, {2}, raw(brains)}) == std::vector<double>{1, -3});
  const std::vector<float> singles{0.1f};
  CHECK(to_values<double>({"f32", Dtype::f32, {1}, raw(singles)}) ==
        std::vector<double>{static_cast<double>(0.1f)});
  const std::vector<double> doubles{0.1, -0.0};
  const std::vector<float> rounded = to_values<float>({"f64", Dtype::f64, {2}, raw(doubles)});
  CHECK(rounded == std::vector<float>{0.1f, 0});
  CHECK(std::signbit(rounded[1]));
}

TEST_CASE("A double too large for float is an error; infinity and NaN pass", "[io][stored]") {
  const std::vector<double> large{1, -1e300};
  const StoredTensor tensor{"large", Dtype::f64, {2}, raw(large)};
  CHECK_THROWS_ERROR(to_values<float>(tensor), ValueError,
                     "value 1 of tensor \"large\" is -1e+300");
  CHECK(to_values<double>(tensor) == large);
  const std::vector<double> special{INFINITY, NAN};
  const auto values = to_values<float>({"special", Dtype::f64, {2}, raw(special)});
  CHECK(std::isinf(values[0]));
  CHECK(std::isnan(values[1]));
}

TEST_CASE("Types that do not agree are refused by name", "[io][stored]") {
  const std::vector<std::int64_t> numbers{1};
  const StoredTensor tensor = stored("step", {1}, std::span(numbers));
  CHECK_THROWS_ERROR(to_values<float>(tensor), FileError,
                     "tensor \"step\" holds I64 values, expected F32, F64, F16 or BF16");
  CHECK_THROWS_ERROR(to_values<std::uint64_t>(tensor), FileError, "expected U64");
  const std::vector<float> reals{1};
  CHECK_THROWS_ERROR(to_values<std::int64_t>(stored("x", {1}, std::span(reals))), FileError,
                     "holds F32 values, expected I64");
}

TEST_CASE("Values are copied only to as many", "[io][stored]") {
  const std::vector<float> values{1, 2, 3};
  std::vector<float> out(2);
  CHECK_THROWS_ERROR(copy_values(stored("x", {3}, std::span(values)), std::span(out)), ShapeError,
                     "3 values, expected 2");
}

TEST_CASE("Bytes need no alignment", "[io][stored]") {
  const double value = 1.5;
  std::vector<std::byte> shifted(9);
  std::memcpy(shifted.data() + 1, &value, 8);
  const StoredTensor tensor{"x", Dtype::f64, {1}, std::span(shifted).subspan(1)};
  CHECK(to_values<double>(tensor) == std::vector<double>{1.5});
  CHECK(to_values<float>(tensor) == std::vector<float>{1.5f});
}

}  // namespace pixelrnn
