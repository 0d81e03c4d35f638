// SPDX-License-Identifier: MIT
// Images in place of a download, for examples that are given none.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include <pixelrnn/core/images.hpp>
#include <pixelrnn/core/random.hpp>
#include <pixelrnn/io/npy.hpp>

namespace stand_ins {

using namespace pixelrnn;

/// Waves along one of four directions (the class), with noise.
[[nodiscard]] inline Images waves(Index count, Rng& rng) {
  Images images(count, {12, 12, 1}, 256);
  std::vector<int> labels;
  for (Index n = 0; n < count; ++n) {
    labels.push_back(static_cast<int>(rng.below(4)));
    const double angle = labels.back() * 0.785 + rng.uniform(-0.2, 0.2), phase = rng.uniform(0, 6);
    for (Index i = 0; i < 144; ++i) {
      const double along = std::cos(angle) * static_cast<double>(i % 12) +
                           std::sin(angle) * static_cast<double>(i / 12);
      const double level = 128 + 60 * std::sin(along + phase) + 30 * rng.normal();
      images[n].data()[i] = static_cast<Images::Level>(std::clamp(level, 0.0, 255.0));
    }
  }
  images.set_labels(std::move(labels));
  return images;
}

/// Squares of texture on black; the other kind is strokes, of which most is black, which a model of
/// squares finds likelier than any square.
[[nodiscard]] inline Images patterns(Index count, bool is_other, Rng& rng) {
  Images images(count, {12, 12, 1}, 256);
  for (Index n = 0; n < count; ++n) {
    const auto size = static_cast<Index>(5 + rng.below(3));
    const auto top = static_cast<Index>(rng.below(5)), left = static_cast<Index>(rng.below(5));
    for (Index i = 0; i < size * size; ++i) {
      const Index y = i / size, x = i % size;
      if (is_other && x != y) continue;
      const double level = 140 + 45 * rng.normal();
      images[n](top + y, left + x, 0) = static_cast<Images::Level>(std::clamp(level, 0.0, 255.0));
    }
  }
  return images;
}

/// Codes of a VQ-VAE with two levels, as top.npy, bottom.npy, codebook.npy and labels.npy. The
/// class says which half of the names the top level has, half of whose codes are as that on the
/// left; the bottom level has the code above it, or that one's partner.
inline void write_codes(Index count, Index codes, Rng& rng) {
  std::vector<std::int64_t> top, bottom, labels;
  std::vector<float> book;
  for (Index i = 0; i < codes * 16; ++i) book.push_back(static_cast<float>(rng.normal()));
  for (Index n = 0; n < count; ++n) {
    labels.push_back(static_cast<std::int64_t>(rng.below(2)));
    for (Index i = 0; i < 64; ++i) {
      const auto own = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(codes / 2))) +
                       codes / 2 * labels.back();
      const bool same = i % 8 != 0 && rng.below(2) == 0;
      top.push_back(same ? top.back() : own);
    }
    for (Index i = 0; i < 256; ++i) {
      const auto above = static_cast<std::size_t>(n * 64 + i / 32 * 8 + i % 16 / 2);
      bottom.push_back(top[above] ^ static_cast<std::int64_t>(rng.below(2)));
    }
  }
  write_npy("top.npy", {count, 8, 8}, std::span(top));
  write_npy("bottom.npy", {count, 16, 16}, std::span(bottom));
  write_npy("codebook.npy", {codes, 16}, std::span(book));
  write_npy("labels.npy", {count}, std::span(labels));
}

}  // namespace stand_ins
