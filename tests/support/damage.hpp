// SPDX-License-Identifier: MIT
// Damaged files: every truncation and every flipped bit of a valid one.
#pragma once

#include <filesystem>
#include <string>

#include <pixelrnn/core/error.hpp>

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn::test {

/// Checks a reader on damaged copies of the file `valid`. `read(path)` returns what stays the same
/// when only values change (shapes), or throws. Cut off at whatever byte, the file must be an
/// Error. With one bit flipped it must be an Error, or look the same as before; anything else that
/// is thrown (std::bad_alloc, std::length_error) fails the test.
template <class Read>
void check_survives_damage(const std::string& valid, Read read) {
  const TemporaryDirectory directory;
  const std::filesystem::path path = directory / "damaged";
  write_text(path, valid);
  const auto expected = read(path);

  for (std::size_t length = 0; length < valid.size(); ++length) {
    write_text(path, valid.substr(0, length));
    try {
      static_cast<void>(read(path));
      FAIL("accepted when cut off after " << length << " of " << valid.size() << " bytes");
    } catch (const Error&) {
    }
  }

  std::size_t rejected = 0;
  for (std::size_t i = 0; i < valid.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = valid;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      write_text(path, flipped);
      try {
        if (read(path) != expected) FAIL("another shape after bit " << bit << " of byte " << i);
      } catch (const Error&) {
        ++rejected;
      }
    }
  }
  CHECK(rejected > 0);
}

}  // namespace pixelrnn::test
