// SPDX-License-Identifier: MIT
// Damaged and hostile files: every truncation and every flipped bit of a valid one, and what it
// costs to refuse one that promises much.
#pragma once

#include <cstddef>
#include <filesystem>
#include <new>
#include <string>

#include <pixelrnn/core/error.hpp>

#include "support/allocations.hpp"
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

/// Checks that a file of that content is a FileError that says `says`, and that until then
/// `read(path)` asked for no more memory than `limit` bytes, which is little beside what such files
/// promise. All requests count, not the most at a time.
template <class Read>
void check_refused_cheaply(const std::string& content, const std::string& says, Read read,
                           std::size_t limit) {
  const TemporaryDirectory directory;
  const std::filesystem::path path = directory / "hostile";
  write_text(path, content);
  std::string said = "nothing: the file was accepted";
  const std::size_t before = allocated_bytes();
  std::size_t cost = 0;
  try {
    static_cast<void>(read(path));
  } catch (const FileError& error) {
    cost = allocated_bytes() - before;
    said = error.what();
  } catch (const std::bad_alloc&) {
    said = "std::bad_alloc";
  }
  CAPTURE(says, said, content.size());
  CHECK(said.find(says) != said.npos);
  CHECK(cost <= limit);
}
template <class Read>
void check_refused_cheaply(const std::string& content, const std::string& says, Read read) {
  check_refused_cheaply(content, says, read, 16 * content.size() + (1 << 14));
}

}  // namespace pixelrnn::test
