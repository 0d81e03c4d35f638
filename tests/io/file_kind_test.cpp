// SPDX-License-Identifier: MIT
#include <pixelrnn/io/file_kind.hpp>

#include <string>

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace pixelrnn {
namespace {

std::string_view kind_of(std::string_view bytes) { return kind_of_file(test::bytes_of(bytes)); }

}  // namespace

TEST_CASE("Files of other programs are told by their first bytes", "[io][file_kind]") {
  CHECK(kind_of("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n")
            .starts_with("a Git LFS pointer"));
  CHECK(kind_of("\x89PNG\r\n\x1a\n12345678") == "a PNG image");
  CHECK(kind_of("\xff\xd8\xff\xe0 JFIF") == "a JPEG image");
  CHECK(kind_of("RIFF1234WEBPVP8 ") == "a WebP image");
  CHECK(kind_of("PK\x03\x04 and so on") == "a zip archive");
  CHECK(kind_of("\x93NUMPY\1 {'descr'") == "a NumPy array (.npy)");
  CHECK(kind_of("\x80\x04\x95 and so on") == "a Python pickle");
  CHECK(kind_of(std::string("\x80\x02\0\0\0\0\0\0{\"weights\"", 18)) == "a safetensors file");
  CHECK(kind_of(std::string("\xfd"
                            "7zXZ\0\0",
                            7)) == "an xz file");
  CHECK(kind_of(std::string(257, 'n') + "ustar") == "a tar archive");
  CHECK(kind_of("\x1f\x8b\x08") == "a gzip file");
}

TEST_CASE("Text is text, and begins with a tag if it is a page", "[io][file_kind]") {
  CHECK(kind_of("no model, no image\n") == "text");
  CHECK(kind_of("\n <!DOCTYPE html>\n<html>") == "an HTML or XML page");
  CHECK(kind_of("<?xml version=\"1.0\"?>") == "an HTML or XML page");
  CHECK(kind_of("caf\xc3\xa9") == "text");
  CHECK(kind_of("caf\xc3") == "text");  // a character may be cut off where the bytes end
  CHECK(kind_of("caf\xc3 and more") == "");
  CHECK(kind_of("a\x1b[31m") == "");
}

TEST_CASE("Bytes that say nothing are no kind, nor is no byte", "[io][file_kind]") {
  CHECK(kind_of("") == "");
  CHECK(kind_of(std::string(512, '\0')) == "");
  CHECK(kind_of(std::string("\0\0\x08\x03\0\0\0\1", 8)) == "");
  CHECK(kind_of("\x89PN") == "");
}

}  // namespace pixelrnn
