// SPDX-License-Identifier: MIT
// CIFAR-10 in its binary form: records of one label and 32x32 colour planes, plain or gzipped.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <pixelrnn/core/images.hpp>
#include <pixelrnn/io/gzip.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

namespace detail {

inline constexpr ImageShape cifar10_image{32, 32, 3};
inline constexpr std::size_t cifar10_plane = 32 * 32;
inline constexpr std::size_t cifar10_record = 1 + 3 * cifar10_plane;

/// Appends the records of one file: labels, and pixels with their colours side by side.
inline void append_cifar10(const std::filesystem::path& path, std::uint64_t max_bytes,
                           std::vector<Images::Level>& pixels, std::vector<int>& labels) {
  const std::string name = path.string();
  const std::vector<std::byte> file = read_file(path, max_bytes);
  ByteSource source(file, name);
  std::array<std::byte, cifar10_record> record;
  for (;;) {
    const std::uint64_t offset = source.offset();
    const std::size_t got = source.read(record);
    if (got == 0) return;
    if (got != record.size()) {
      fail<FileError>("CIFAR-10: ", name, ": offset ", offset, ": the file ends after ", got,
                      " bytes of a record, expected ", record.size());
    }
    const int label = std::to_integer<int>(record[0]);
    if (label > 9) {
      fail<FileError>("CIFAR-10: ", name, ": offset ", offset, ": the label is ", label,
                      ", expected 0 to 9");
    }
    if (pixels.size() + 3 * cifar10_plane > max_bytes) {
      fail<FileError>("CIFAR-10: ", name, ": offset ", offset, ": more than ", max_bytes,
                      " bytes of pixels (max_bytes)");
    }
    labels.push_back(label);
    for (std::size_t p = 0; p < cifar10_plane; ++p) {
      for (std::size_t c = 0; c < 3; ++c) {
        pixels.push_back(std::to_integer<Images::Level>(record[1 + c * cifar10_plane + p]));
      }
    }
  }
}

}  // namespace detail

/// Images (N, 32, 32, 3) of 256 levels and their labels 0 .. 9, of all files in their order. Throws
/// FileError if a file cannot be read, is no whole number of records of 3073 bytes (a label, then
/// 1024 red, 1024 green and 1024 blue values in raster order), has another label, or if the pixels
/// take more than `max_bytes`.
[[nodiscard]] inline Images read_cifar10(std::span<const std::filesystem::path> paths,
                                         std::uint64_t max_bytes = default_max_bytes) {
  std::vector<Images::Level> pixels;
  std::vector<int> labels;
  for (const std::filesystem::path& path : paths) {
    detail::append_cifar10(path, max_bytes, pixels, labels);
  }
  const ImageShape image = detail::cifar10_image;
  Images images(static_cast<Index>(labels.size()), image, 256);
  std::copy(pixels.begin(), pixels.end(), images.pixels().begin());
  images.set_labels(std::move(labels));
  return images;
}
[[nodiscard]] inline Images read_cifar10(const std::filesystem::path& path,
                                         std::uint64_t max_bytes = default_max_bytes) {
  return read_cifar10(std::span(&path, 1), max_bytes);
}
[[nodiscard]] inline Images read_cifar10(std::initializer_list<std::filesystem::path> paths,
                                         std::uint64_t max_bytes = default_max_bytes) {
  return read_cifar10(std::span(paths.begin(), paths.size()), max_bytes);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
