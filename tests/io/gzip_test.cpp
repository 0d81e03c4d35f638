// SPDX-License-Identifier: MIT
#include <pixelrnn/io/gzip.hpp>

#include <string>
#include <vector>

#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/damage.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn {
namespace {

using test::bytes_of;
using test::text_of;

std::string zip(std::string_view text) { return text_of(deflate_gzip(bytes_of(text))); }
std::string unzip(std::string_view zipped, std::uint64_t max_bytes = default_max_bytes) {
  return text_of(inflate_gzip(bytes_of(zipped), "the data", max_bytes));
}

/// Text that deflate cannot do much with.
std::string noise(std::size_t length) {
  std::string text(length, '\0');
  std::uint32_t state = 1;
  for (char& c : text) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return text;
}

}  // namespace

TEST_CASE("gzip data inflates to what was deflated, whatever its length", "[io][gzip]") {
  for (const std::size_t length : {0u, 1u, 100u, 65535u, 65536u, 65537u, 1'000'000u}) {
    CHECK(unzip(zip(std::string(length, 'a'))) == std::string(length, 'a'));
    CHECK(unzip(zip(noise(length))) == noise(length));
  }
}

TEST_CASE("Deflating is reproducible: no name, no time", "[io][gzip]") {
  const std::string zipped = zip("abc");
  CHECK(zipped == zip("abc"));
  CHECK(zipped.substr(0, 8) == std::string("\x1f\x8b\x08\0\0\0\0\0", 8));
}

TEST_CASE("A file made by another program inflates", "[io][gzip]") {
  // printf abc | gzip -n
  const std::string zipped(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b\x4c\x4a\x06\x00\xc2\x41\x24\x35\x03\x00\x00"
      "\x00",
      23);
  CHECK(unzip(zipped) == "abc");
}

TEST_CASE("Members that follow each other are one text, also empty ones", "[io][gzip]") {
  CHECK(unzip(zip("one ") + zip("") + zip("two") + zip("")) == "one two");
}

TEST_CASE("What follows the last member must be gzip", "[io][gzip]") {
  CHECK_THROWS_ERROR(unzip(zip("abc") + "x"), FileError, "not gzip");
  CHECK_THROWS_ERROR(unzip(zip("abc") + std::string(1, '\0')), FileError, "not gzip");
  CHECK_THROWS_ERROR(unzip(zip("abc") + "\x1f\x8b\x08"), FileError, "cut off");
}

TEST_CASE("A wrong checksum or length in the trailer is an error", "[io][gzip]") {
  std::string zipped = zip("abc");
  std::string bad_sum = zipped;
  bad_sum[bad_sum.size() - 8] = static_cast<char>(bad_sum[bad_sum.size() - 8] ^ 1);
  CHECK_THROWS_ERROR(unzip(bad_sum), FileError, "incorrect data check");
  std::string bad_length = zipped;
  bad_length.back() = '\x7f';  // 2 GB and 3 bytes: nobody may believe it
  CHECK_THROWS_ERROR(unzip(bad_length), FileError, "incorrect length check");
  CHECK_THROWS_ERROR(unzip(zipped.substr(0, zipped.size() - 1)), FileError, "cut off");
  CHECK_THROWS_ERROR(unzip(zipped.substr(0, zipped.size() - 8)), FileError, "cut off");
  CHECK_THROWS_ERROR(unzip(""), FileError, "cut off");
  CHECK_THROWS_ERROR(unzip("not gzip"), FileError, "incorrect header check");
}

TEST_CASE("Inflating stops at its cap", "[io][gzip]") {
  const std::string bomb = zip(std::string(10'000'000, '\0'));
  CHECK(bomb.size() < 10'100);
  CHECK_THROWS_ERROR(unzip(bomb, 1000), FileError, "more than 1000 bytes");
  CHECK_THROWS_ERROR(unzip(zip("abcd"), 3), FileError, "more than 3 bytes");
  CHECK(unzip(zip("abcd"), 4) == "abcd");
  CHECK(unzip(zip("abcd"), ~std::uint64_t{0}) == "abcd");
}

TEST_CASE("Nothing inflates to more than max_ratio times its size", "[io][gzip]") {
  const std::string bomb = zip(std::string(10'000'000, '\0'));
  CHECK(10'000'000 <= bomb.size() * GzipReader::max_ratio);
  CHECK(10'000'000 > bomb.size() * 990);  // the bound is near the truth, not just large
}

TEST_CASE("Damaged gzip data is an error or the same data", "[io][gzip]") {
  test::check_survives_damage(zip("a little text, a little text"),
                              [](const std::filesystem::path& path) {
                                return text_of(inflate_gzip(read_file(path), path.string()));
                              });
}

TEST_CASE("A source of bytes is the same for plain and zipped files", "[io][gzip]") {
  const test::TemporaryDirectory directory;
  // More than a source holds at a time, zipped too.
  constexpr std::size_t size = 300'000;
  const std::string text = noise(size);
  test::write_text(directory / "plain", text);
  test::write_text(directory / "zipped", zip(text.substr(0, 1000)) + zip(text.substr(1000)));
  for (const char* name : {"plain", "zipped"}) {
    CAPTURE(name);
    ByteSource source(directory / name);
    CHECK(source.name() == (directory / name).string());
    CHECK(source.is_zipped() == (name == std::string("zipped")));
    for (int round = 0; round < 2; ++round) {
      CHECK(source.at_most() >= size);
      std::string read(200'000, '?');
      CHECK(source.read(std::as_writable_bytes(std::span(read))) == 200'000);
      CHECK(source.offset() == 200'000);
      CHECK(source.at_most() >= 100'000);
      CHECK(read == text.substr(0, 200'000));
      CHECK(source.skip(50'000) == 50'000);
      CHECK(source.offset() == 250'000);
      CHECK(source.read(std::as_writable_bytes(std::span(read))) == 50'000);
      CHECK(read.substr(0, 50'000) == text.substr(250'000));
      CHECK(source.read(std::as_writable_bytes(std::span(read))) == 0);
      CHECK(source.skip(1) == 0);
      CHECK(source.offset() == size);
      source.rewind();
    }
  }
  CHECK(ByteSource(directory / "plain").at_most() == size);
  CHECK_THROWS_ERROR(ByteSource(directory / "plain", size - 1), FileError,
                     "300000 bytes, expected at most 299999 (max_bytes)");
  test::write_text(directory / "empty", "");
  std::byte first{};
  CHECK(ByteSource(directory / "empty").read({&first, 1}) == 0);
}

TEST_CASE("gzip data that comes in pieces is the same wherever they end", "[io][gzip]") {
  const std::string text = noise(500);
  const std::string zipped = zip(text.substr(0, 200)) + zip("") + zip(text.substr(200));
  const auto unzip_in_pieces = [](std::string_view data, std::size_t size) {
    GzipReader reader(
        [data, size]() mutable {
          const std::string_view piece = data.substr(0, size);
          data.remove_prefix(piece.size());
          return bytes_of(piece);
        },
        "the data");
    std::string read(1000, '?');
    read.resize(reader.read(std::as_writable_bytes(std::span(read))));
    return read;
  };
  for (const std::size_t size : {1u, 2u, 3u, 7u, 100u}) {
    CAPTURE(size);
    CHECK(unzip_in_pieces(zipped, size) == text);
    CHECK_THROWS_ERROR(unzip_in_pieces(zipped + "x", size), FileError, "not gzip");
    CHECK_THROWS_ERROR(unzip_in_pieces(zipped + "xy", size), FileError, "not gzip");
    CHECK_THROWS_ERROR(unzip_in_pieces(zipped + "\x1f\x8b\x08", size), FileError, "cut off");
    CHECK_THROWS_ERROR(unzip_in_pieces(zipped.substr(0, zipped.size() - 1), size), FileError,
                       "cut off");
  }
}

TEST_CASE("A source of bytes costs 64 KiB, however large its file is", "[io][gzip]") {
  const test::TemporaryDirectory directory;
  test::write_text(directory / "plain", noise(1'000'000));
  test::write_text(directory / "zipped", zip(noise(1'000'000)));
  for (const char* name : {"plain", "zipped"}) {
    const std::size_t before = test::allocated_bytes();
    ByteSource source(directory / name);
    CHECK(source.skip(2'000'000) == 1'000'000);
    CHECK(test::allocated_bytes() - before < 70'000);
  }
}

TEST_CASE("What inflates to more than its cap costs a small multiple of the cap", "[io][gzip]") {
  constexpr std::size_t cap = 100'000;
  test::check_refused_cheaply(
      zip(std::string(10'000'000, '\0')), "inflates to more than 100000 bytes (max_bytes)",
      [](const auto& path) { return inflate_gzip(read_file(path), "the data", cap); }, 4 * cap);
}

}  // namespace pixelrnn
