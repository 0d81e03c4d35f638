// SPDX-License-Identifier: MIT
// Catch2 under one name, whether it is 2.13 (Debian 12) or 3, and a check for errors.
#pragma once

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators_all.hpp>
#include <catch2/matchers/catch_matchers_all.hpp>
using Catch::Approx;  // 2.13 does this by itself
#else
#include <catch2/catch.hpp>
#endif

#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>

namespace pixelrnn::test {

/// Matches an exception of exactly type E, no subclass of it, whose message contains a text.
template <class E>
class IsErrorSaying : public Catch::Matchers::
#if __has_include(<catch2/catch_test_macros.hpp>)
                          MatcherBase<E>
#else
                          Impl::MatcherBase<E>
#endif
{
 public:
  explicit IsErrorSaying(std::string text) : text_(std::move(text)) {}

  bool match(const E& error) const override {
    return typeid(error) == typeid(E) &&
           std::string_view(error.what()).find(text_) != std::string_view::npos;
  }
  std::string describe() const override {
    return "is exactly of the type named and says \"" + text_ + '"';
  }

 private:
  std::string text_;
};

}  // namespace pixelrnn::test

/// Checks that `expression` throws exactly `Type` and that its message contains `text`. All
/// brackets around commas of the expression must be round ones, as in every macro.
#define CHECK_THROWS_ERROR(expression, Type, text) \
  CHECK_THROWS_MATCHES(expression, Type, pixelrnn::test::IsErrorSaying<Type>(text))
