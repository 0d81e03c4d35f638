// SPDX-License-Identifier: MIT
#include <limits>
#include <string>
#include <type_traits>

#include <pixelrnn/core/error.hpp>

#include "support/catch.hpp"

using namespace pixelrnn;

TEMPLATE_TEST_CASE("Every kind of error is an Error, and that a runtime_error", "[core][error]",
                   ShapeError, ConfigError, ValueError, FileError, NumericError) {
  STATIC_REQUIRE(std::is_base_of_v<Error, TestType>);
  STATIC_REQUIRE(std::is_base_of_v<std::runtime_error, Error>);
  const auto raise = [] { throw TestType("what happened"); };
  CHECK_THROWS_AS(raise(), Error);
  CHECK_THROWS_ERROR(raise(), TestType, "what happened");
}

TEST_CASE("The kinds of errors are told apart by type", "[core][error]") {
  STATIC_REQUIRE_FALSE(std::is_base_of_v<ShapeError, ConfigError>);
  STATIC_REQUIRE_FALSE(std::is_base_of_v<ConfigError, ShapeError>);
  STATIC_REQUIRE_FALSE(std::is_base_of_v<ValueError, FileError>);
  STATIC_REQUIRE_FALSE(std::is_base_of_v<NumericError, ValueError>);
}

TEST_CASE("fail streams all parts of its message in order", "[core][error]") {
  std::string message;
  try {
    detail::fail<ValueError>("Place: x is ", 3, ", expected ", 0.5, '!');
  } catch (const ValueError& error) {
    message = error.what();
  }
  CHECK(message == "Place: x is 3, expected 0.5!");
}

TEST_CASE("fail shows NaN without a sign", "[core][error]") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_ERROR(detail::fail<NumericError>("loss ", -nan, ';'), NumericError, "loss nan;");
  CHECK_THROWS_ERROR(detail::fail<NumericError>("loss ", nan, ';'), NumericError, "loss nan;");
  CHECK_THROWS_ERROR(detail::fail<NumericError>("loss ", static_cast<float>(-nan), ';'),
                     NumericError, "loss nan;");
  CHECK_THROWS_ERROR(
      detail::fail<NumericError>("loss ", -std::numeric_limits<double>::infinity(), ';'),
      NumericError, "loss -inf;");
}

TEST_CASE("The check for errors refuses another type and another message", "[core][error]") {
  const test::IsErrorSaying<Error> is_error("shape");
  CHECK(is_error.match(Error("the shape is wrong")));
  CHECK_FALSE(is_error.match(ShapeError("the shape is wrong")));  // a subclass is another type
  CHECK_FALSE(is_error.match(Error("the size is wrong")));
}

TEST_CASE("Text from a file is quoted without control characters and cut after 80 bytes",
          "[core][error]") {
  CHECK(detail::in_quotes("a\nb\x1b\xc3\xa9") == "\"a?b???\"");
  CHECK(detail::in_quotes(std::string(80, 'x')) == '"' + std::string(80, 'x') + '"');
  CHECK(detail::in_quotes(std::string(81, 'x')) == '"' + std::string(80, 'x') + "...\"");
}
