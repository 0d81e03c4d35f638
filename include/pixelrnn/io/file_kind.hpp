// SPDX-License-Identifier: MIT
// What a file seems to be, by its first bytes: for what readers say of one that is not theirs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

#include <pixelrnn/io/utf8.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// So many first bytes of a file are enough for kind_of_file.
inline constexpr std::size_t file_kind_bytes = 512;

namespace detail {

/// What all files of a kind have in the same place.
struct Magic {
  std::string_view bytes, kind;
  std::size_t offset = 0;
};

/// Does text begin with a tag of HTML or XML, whatever comes before it?
[[nodiscard]] inline bool begins_with_tag(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != text.npos && text[first] == '<';
}

}  // namespace detail

/// "a zip archive", "an HTML or XML page", "text" and the like, or nothing if the bytes say
/// nothing. `start` is the beginning of a file; of a gzipped one, of what is in it.
[[nodiscard]] inline std::string_view kind_of_file(std::span<const std::byte> start) {
  using namespace std::string_view_literals;
  // What is more special stands first.
  static constexpr detail::Magic magics[] = {
      {"{\"", "a safetensors file", 8},
      {"version https://git-lfs.github.com/spec/",
       "a Git LFS pointer (git lfs pull brings the file)"},
      {"\x89PNG\r\n\x1a\n"sv, "a PNG image"},
      {"\xff\xd8\xff"sv, "a JPEG image"},
      {"GIF87a", "a GIF image"},
      {"GIF89a", "a GIF image"},
      {"WEBP", "a WebP image", 8},
      {"II*\0"sv, "a TIFF image"},
      {"MM\0*"sv, "a TIFF image"},
      {"\x93NUMPY"sv, "a NumPy array (.npy)"},
      {"\x89HDF\r\n\x1a\n"sv, "an HDF5 file"},
      {"MATLAB 5.0 MAT-file", "a MATLAB file (.mat)"},
      {"PK\x03\x04"sv, "a zip archive"},
      {"PK\x05\x06"sv, "an empty zip archive"},
      {"7z\xbc\xaf\x27\x1c"sv, "a 7z archive"},
      {"ustar", "a tar archive", 257},
      {"\x1f\x8b"sv, "a gzip file"},
      {"\3757zXZ\0"sv, "an xz file"},
      {"BZh", "a bzip2 file"},
      {"\x28\xb5\x2f\xfd"sv, "a Zstandard file"},
      {"\x80\x02"sv, "a Python pickle"},
      {"\x80\x03"sv, "a Python pickle"},
      {"\x80\x04"sv, "a Python pickle"},
      {"\x80\x05"sv, "a Python pickle"},
      {"PAR1", "a Parquet file"},
      {"%PDF-", "a PDF file"},
      {"\177ELF", "a program"},
  };
  const std::string_view bytes(reinterpret_cast<const char*>(start.data()), start.size());
  const auto found = std::ranges::find_if(magics, [&](const detail::Magic& magic) {
    return bytes.size() >= magic.offset && bytes.substr(magic.offset).starts_with(magic.bytes);
  });
  if (found != std::end(magics)) return found->kind;
  if (bytes.empty()) return {};
  // Text has no control characters but those of its layout, and its last one may be cut off.
  const auto is_control = [](char c) {
    const auto code = static_cast<unsigned char>(c);
    return (code < ' ' && (code < '\t' || code > '\r')) || code == 0x7f;
  };
  constexpr std::size_t longest_character = 4;
  const std::size_t end = first_not_utf8(bytes).value_or(bytes.size());
  const bool is_text = std::ranges::none_of(bytes, is_control) &&
                       (end == bytes.size() || (end > 0 && end + longest_character > bytes.size() &&
                                                static_cast<unsigned char>(bytes[end]) >= 0xc2));
  if (!is_text) return {};
  return detail::begins_with_tag(bytes) ? "an HTML or XML page" : "text";
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
