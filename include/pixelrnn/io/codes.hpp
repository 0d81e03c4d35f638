// SPDX-License-Identifier: MIT
// Codes, of a VQ-VAE say, as NumPy's .npy: names out of a book, in the places of an image.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include <pixelrnn/core/images.hpp>
#include <pixelrnn/io/npy.hpp>

namespace pixelrnn::inline PIXELRNN_ABI {

/// Reads an array (N, H, W) or (N, H, W, C) of int64 as images of so many levels, the codes that
/// there are. Throws FileError if the file cannot be read or holds another kind of array, or a code
/// that is none; ConfigError unless there are 2 to 65536 codes.
[[nodiscard]] inline Images read_codes(const std::filesystem::path& path, int codes,
                                       std::uint64_t max_bytes = default_max_bytes) {
  const NpyArray<std::int64_t> array = read_npy<std::int64_t>(path, max_bytes);
  const std::vector<Index>& s = array.shape;
  if (s.size() != 3 && s.size() != 4) {
    detail::fail<FileError>("read_codes: ", path, " has ", s.size(),
                            " axes, expected (N, H, W) or (N, H, W, C)");
  }
  Images images(s[0], {s[1], s[2], s.size() == 4 ? s[3] : 1}, codes);
  for (std::size_t i = 0; i < array.values.size(); ++i) {
    const std::int64_t code = array.values[i];
    if (code < 0 || code >= codes) {
      detail::fail<FileError>("read_codes: ", path, ": element ", i, " is ", code,
                              ", expected 0 to ", codes - 1);
    }
    images.pixels().data()[i] = static_cast<Images::Level>(code);
  }
  return images;
}

/// The vectors of codes, (N, H · scale, W · scale, C · D), each for scale × scale pixels, from a
/// book (codes, D): for a finer level of codes to be told (Images::set_condition_maps). Throws
/// ShapeError if the book is none for these codes, ConfigError if scale is not 1 to 4096.
[[nodiscard]] inline FeatureMap<float> code_vectors(const Images& codes,
                                                    const NpyArray<float>& book, Index scale = 1) {
  if (book.shape.size() != 2 || book.shape[0] < codes.levels() || book.shape[1] < 1 ||
      std::ssize(book.values) != book.shape[0] * book.shape[1]) {
    detail::fail<ShapeError>("code_vectors: the book has ", book.shape.size(), " axes, ",
                             book.shape.empty() ? 0 : book.shape[0], " vectors and ",
                             book.values.size(), " values, expected (codes, D) for ",
                             codes.levels(), " codes, with D of 1 or more");
  }
  if (scale < 1 || scale > 4096) {
    detail::fail<ConfigError>("code_vectors: scale is ", scale, ", expected 1 to 4096");
  }
  const Index d = book.shape[1];
  const Shape<4> s = codes.pixels().shape();
  FeatureMap<float> maps({s.n(), s.h() * scale, s.w() * scale, s.c() * d});
  for (Index n = 0; n < s.n(); ++n) {
    for (Index y = 0; y < s.h() * scale; ++y) {
      for (Index x = 0; x < s.w() * scale; ++x) {
        for (Index c = 0; c < s.c(); ++c) {
          std::copy_n(book.values.begin() + codes[n](y / scale, x / scale, c) * d, d,
                      &maps(n, y, x, 0) + c * d);
        }
      }
    }
  }
  return maps;
}

/// Writes images as int64 (N, H, W), or (N, H, W, C) if they have several channels: for the
/// decoder. Atomically, see AtomicFile. Throws FileError if it cannot be written.
inline void write_codes(const std::filesystem::path& path, const Images& images) {
  const Shape<4> s = images.pixels().shape();
  std::vector<Index> shape{s.n(), s.h(), s.w()};
  if (s.c() > 1) shape.push_back(s.c());
  const std::vector<std::int64_t> values(images.pixels().begin(), images.pixels().end());
  write_npy(path, shape, std::span(values));
}

}  // namespace pixelrnn::inline PIXELRNN_ABI
