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

/// How read_cifar10 takes files.
struct Cifar10Options {
  /// Only the first so many images of all; 0: all. What follows is not read.
  Index limit = 0;
  /// Most bytes of a file, and of all pixels.
  std::uint64_t max_bytes = default_max_bytes;
};

namespace detail {

inline constexpr ImageShape cifar10_image{32, 32, 3};
inline constexpr std::size_t cifar10_plane = 32 * 32;
inline constexpr std::size_t cifar10_record = 1 + 3 * cifar10_plane;

/// The next record of a file: false at its end. Throws FileError if it is none.
[[nodiscard]] inline bool read_cifar10_record(ByteSource& source,
                                              std::span<std::byte, cifar10_record> record) {
  const std::uint64_t offset = source.offset();
  const std::size_t got = source.read(record);
  if (got == 0) return false;
  if (got != record.size()) {
    fail<FileError>("CIFAR-10: ", source.name(), ": offset ", offset, ": the file ends after ", got,
                    " bytes of a record, expected ", record.size());
  }
  const int label = std::to_integer<int>(record[0]);
  if (label > 9) {
    fail<FileError>("CIFAR-10: ", source.name(), ": offset ", offset, ": the label is ", label,
                    ", expected 0 to 9");
  }
  return true;
}

/// Records of a file, no more than `most`; all of those are whole and have a label. A zipped file
/// is inflated for that without being kept.
[[nodiscard]] inline Index count_cifar10(ByteSource& source, Index most) {
  std::array<std::byte, cifar10_record> record;
  Index count = 0;
  while (count < most && read_cifar10_record(source, record)) ++count;
  if (count == 0) {
    fail<FileError>("CIFAR-10: ", source.name(), ": the file is empty, expected records of ",
                    cifar10_record, " bytes");
  }
  return count;
}

}  // namespace detail

/// Images (N, 32, 32, 3) of 256 levels and their labels 0 .. 9, of all files in their order. Throws
/// FileError if a file cannot be read, is empty or no whole number of records of 3073 bytes (a
/// label, then 1024 red, 1024 green and 1024 blue values in raster order), has another label, or if
/// the pixels take more than `max_bytes`; ConfigError if limit is negative. Memory is made for the
/// images that are there, once: files are read twice for that.
[[nodiscard]] inline Images read_cifar10(std::span<const std::filesystem::path> paths,
                                         const Cifar10Options& options = {}) {
  if (options.limit < 0) {
    detail::fail<ConfigError>("read_cifar10: Cifar10Options::limit is ", options.limit,
                              ", expected 0 or more");
  }
  const auto most = static_cast<Index>(
      std::min<std::uint64_t>(options.max_bytes / (3 * detail::cifar10_plane), PTRDIFF_MAX - 1));
  const Index wanted = options.limit == 0 ? most + 1 : std::min(options.limit, most + 1);
  std::vector<Index> counts;
  Index total = 0;
  for (const std::filesystem::path& path : paths) {
    if (total == wanted) break;
    ByteSource source(path, options.max_bytes);
    counts.push_back(detail::count_cifar10(source, wanted - total));
    total += counts.back();
    if (total > most) {
      detail::fail<FileError>("CIFAR-10: ", source.name(), ": offset ",
                              source.offset() - detail::cifar10_record, ": more than ",
                              options.max_bytes, " bytes of pixels (max_bytes)");
    }
  }
  Images images(total, detail::cifar10_image, 256);
  std::vector<int> labels;
  labels.reserve(static_cast<std::size_t>(total));
  Images::Level* pixel = images.pixels().data();
  std::array<std::byte, detail::cifar10_record> record;
  for (std::size_t file = 0; file < counts.size(); ++file) {
    ByteSource source(paths[file], options.max_bytes);
    for (Index i = 0; i < counts[file]; ++i) {
      if (!detail::read_cifar10_record(source, record)) {
        detail::fail<FileError>("CIFAR-10: ", source.name(), ": it ends after ", i, " of ",
                                counts[file], " records; did it just shrink?");
      }
      labels.push_back(std::to_integer<int>(record[0]));
      for (std::size_t p = 0; p < detail::cifar10_plane; ++p) {
        for (std::size_t c = 0; c < 3; ++c) {
          *pixel++ = std::to_integer<Images::Level>(record[1 + c * detail::cifar10_plane + p]);
        }
      }
    }
  }
  images.set_labels(std::move(labels));
  return images;
}
[[nodiscard]] inline Images read_cifar10(const std::filesystem::path& path,
                                         const Cifar10Options& options = {}) {
  return read_cifar10(std::span(&path, 1), options);
}
[[nodiscard]] inline Images read_cifar10(std::initializer_list<std::filesystem::path> paths,
                                         const Cifar10Options& options = {}) {
  return read_cifar10(std::span(paths.begin(), paths.size()), options);
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
