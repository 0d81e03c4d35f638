// SPDX-License-Identifier: MIT
#include <pixelrnn/io/utf8.hpp>

#include <string>

#include "support/catch.hpp"

namespace pixelrnn {

TEST_CASE("UTF-8 of every length is accepted, up to its outermost characters", "[io][utf8]") {
  for (const char* text :
       {"", "plain", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xc3\xa9\xe2\x82\xac"}) {
    CAPTURE(text);
    CHECK_FALSE(first_not_utf8(text).has_value());
  }
}

TEST_CASE("What is not UTF-8 is found where it begins", "[io][utf8]") {
  for (const char* text : {
           "\x80",
           "\xbf",  // a continuation without a lead
           "\xc0\x80",
           "\xc1\xbf",  // overlong, two bytes
           "\xe0\x80\x80",
           "\xe0\x9f\xbf",  // overlong, three
           "\xf0\x80\x80\x80",
           "\xf0\x8f\xbf\xbf",  // overlong, four
           "\xed\xa0\x80",
           "\xed\xbf\xbf",  // surrogates
           "\xf4\x90\x80\x80",
           "\xf5\x80\x80\x80",  // above U+10FFFF
           "\xff",
           "\xfe",  // never
           "\xc3",
           "\xe2\x82",
           "\xf0\x90\x80",  // cut off
           "\xc3(",
           "\xe2(\xac",
           "\xe2\x82(",
           "\xf0\x90\x80(",  // broken off
       }) {
    CAPTURE(text);
    CHECK(first_not_utf8(text) == std::size_t{0});
    CHECK(first_not_utf8("\xc3\xa9 " + std::string(text)) == std::size_t{3});
  }
}

}  // namespace pixelrnn
